namespace Elastic.Torch.Cuda;

/// <summary>The kernels of <see cref="KernelSource"/>, by name: each ends with the types of what it reads and writes.</summary>
internal static class KernelNames
{
    private static readonly string[] OfNoType =
    [
        "adamw_update", "attention_mask", "cross_entropy_bf16", "cross_entropy_f32", "dropout_f32_f32_f32", "embed", "embedding_gradient",
        "fold_parts", "norm_backward_f32_f32_f32", "norm_forward_f32_f32", "reciprocals", "scaled_f32_f32", "scaled_sum_f32_f32_f32",
        "sums_of_squares", "tree_sum",
    ];

    // N stands for a type of 16 bits.
    private static readonly string[] OfNarrowTypes =
    [
        "adamw_update_N", "dropout_N_N_N", "dropout_N_f32_N", "dropout_f32_N_N", "dropout_f32_N_f32", "norm_backward_N_N_N",
        "norm_backward_f32_N_N", "norm_backward_f32_N_f32", "norm_forward_N_N", "norm_forward_N_f32", "scaled_N_N", "scaled_N_f32",
        "scaled_f32_N", "scaled_sum_N_N_N", "scaled_sum_f32_N_N", "scaled_sum_f32_f32_N",
    ];

    private static readonly string[] OfEachType =
    [
        "activation_N", "activation_backward_N", "activation_backward_sums_N", "column_sums_N", "pack_N", "rotary_N", "swiglu_N",
        "swiglu_backward_N",
    ];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        .. OfNoType, .. OfEachType.Select(name => Of(name, ElementType.Fp32)),
        .. new[] { ElementType.Bf16, ElementType.Fp16 }.SelectMany(type => OfNarrowTypes.Concat(OfEachType).Select(name => Of(name, type))),
    ];

    private static string Of(string name, ElementType type) => name.Replace("N", DeviceMemory.NameOf(type), StringComparison.Ordinal);
}
