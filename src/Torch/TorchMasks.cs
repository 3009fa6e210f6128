using Elastic.Model.Networks;
using Elastic.Model.Tapes;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch;

/// <summary>Masks of dropout as factors, 0 and 1 / (1 - p), for the same elements as on any device.</summary>
/// <param name="shape">Shape of what goes through the network.</param>
/// <param name="firstMicroBatch">Its index within the step.</param>
internal sealed class TorchMasks(BatchShape shape, DropoutSeed seed, int firstMicroBatch, torch.Device device, ScalarType dtype)
{
    /// <summary>(rows columns).</summary>
    public unsafe Tensor Of(DropoutMask mask, long rows, long columns)
        => Factors(mask, rows / shape.MicroBatches * columns, (key, into) =>
        {
            into.Fill(1);
            fixed (float* ones = into)
                Kernels.Dropout.Apply(ones, ones, null, key, 0, into.Length, mask.Rate);
        });

    /// <summary>(sequences, heads, queries, keys).</summary>
    public unsafe Tensor OfAttention(DropoutMask mask, int sequences, int heads, int queries, int keys)
        => Factors(mask, (long)shape.Sequences * heads * queries * keys, (key, into) =>
        {
            fixed (float* factors = into)
                Kernels.Attention.AttentionMask.Fill(factors, shape.Sequences, heads, queries, keys, key, mask.Rate);
        }).view(sequences, heads, queries, keys);

    private Tensor Factors(DropoutMask mask, long elements, Fill fill)
    {
        var all = new float[shape.MicroBatches * elements];
        for (var i = 0; i < shape.MicroBatches; i++)
            fill(mask.Key(seed, firstMicroBatch + i), all.AsSpan((int)(i * elements), (int)elements));
        return tensor(all, dtype, device);
    }

    private delegate void Fill(ulong key, Span<float> into);
}
