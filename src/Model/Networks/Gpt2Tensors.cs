using Elastic.Model.Vectors;
using static TorchSharp.torch;

namespace Elastic.Model.Networks;

/// <summary>The views of a flat vector by the roles that they have in a GPT-2. C channels, V tokens of the vocabulary.</summary>
internal sealed class Gpt2Tensors(ParameterViews views, int layers)
{
    /// <summary>(V, C).</summary>
    public Tensor TokenEmbedding { get; } = views[Gpt2Architecture.TokenEmbedding];

    /// <summary>(V, C), the same elements.</summary>
    public Tensor Head { get; } = views[Gpt2Architecture.Head];

    /// <summary>(context, C).</summary>
    public Tensor PositionEmbedding { get; } = views[Gpt2Architecture.PositionEmbedding];

    /// <summary>(C).</summary>
    public Tensor FinalGain { get; } = views[Gpt2Architecture.FinalNorm + "weight"];

    /// <summary>(C).</summary>
    public Tensor FinalBias { get; } = views[Gpt2Architecture.FinalNorm + "bias"];

    public IReadOnlyList<Gpt2Layer> Layers { get; } =
    [
        .. Enumerable.Range(0, layers).Select(Gpt2Architecture.Layer).Select(at => new Gpt2Layer(
            views[at + "ln_1.weight"], views[at + "ln_1.bias"], views[at + "attn.c_attn.weight"], views[at + "attn.c_attn.bias"],
            views[at + "attn.c_proj.weight"], views[at + "attn.c_proj.bias"], views[at + "ln_2.weight"], views[at + "ln_2.bias"],
            views[at + "mlp.c_fc.weight"], views[at + "mlp.c_fc.bias"], views[at + "mlp.c_proj.weight"], views[at + "mlp.c_proj.bias"])),
    ];
}

/// <summary>The tensors of one transformer block; weights are (in, out), vectors (out).</summary>
internal sealed record Gpt2Layer(
    Tensor Norm1Gain, Tensor Norm1Bias, Tensor QkvWeight, Tensor QkvBias, Tensor ProjectionWeight, Tensor ProjectionBias,
    Tensor Norm2Gain, Tensor Norm2Bias, Tensor UpWeight, Tensor UpBias, Tensor DownWeight, Tensor DownBias);
