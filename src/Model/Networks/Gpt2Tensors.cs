using Elastic.Model.Vectors;
using static TorchSharp.torch;

namespace Elastic.Model.Networks;

/// <summary>
/// A flat vector seen as the tensors of a GPT-2: the parameters, or their gradients. All are views; nothing is copied.
/// </summary>
internal sealed class Gpt2Tensors : IDisposable
{
    private readonly List<Tensor> _views = [];

    /// <summary>Cuts <paramref name="flat"/>, (layout.Length), into views.</summary>
    public Gpt2Tensors(FlatLayout layout, Tensor flat)
    {
        TokenEmbedding = View(ParameterNames.TokenEmbedding).narrow(0, 0, layout.Model.Vocabulary).DetachFromDisposeScope();
        _views.Add(TokenEmbedding);
        PositionEmbedding = View(ParameterNames.PositionEmbedding);
        FinalGain = View(ParameterNames.FinalNorm + "weight");
        FinalBias = View(ParameterNames.FinalNorm + "bias");
        Layers =
        [
            .. Enumerable.Range(0, layout.Model.Layers).Select(ParameterNames.Layer).Select(at => new Gpt2Layer(
                View(at + "ln_1.weight"), View(at + "ln_1.bias"), View(at + "attn.c_attn.weight"), View(at + "attn.c_attn.bias"),
                View(at + "attn.c_proj.weight"), View(at + "attn.c_proj.bias"), View(at + "ln_2.weight"), View(at + "ln_2.bias"),
                View(at + "mlp.c_fc.weight"), View(at + "mlp.c_fc.bias"), View(at + "mlp.c_proj.weight"), View(at + "mlp.c_proj.bias"))),
        ];

        Tensor View(string name)
        {
            var segment = layout[name];
            var view = flat.as_strided([.. segment.Shape], segment.Shape.Count == 2 ? [segment.Shape[1], 1] : [1], segment.Offset);
            _views.Add(view.DetachFromDisposeScope());
            return view;
        }
    }

    /// <summary>(V, C): the rows of real tokens only; padded rows belong to no view and so never change.</summary>
    public Tensor TokenEmbedding { get; }

    /// <summary>(context, C).</summary>
    public Tensor PositionEmbedding { get; }

    /// <summary>(C).</summary>
    public Tensor FinalGain { get; }

    /// <summary>(C).</summary>
    public Tensor FinalBias { get; }

    public IReadOnlyList<Gpt2Layer> Layers { get; }

    /// <inheritdoc/>
    public void Dispose() => _views.ForEach(v => v.Dispose());
}

/// <summary>The tensors of one transformer block; weights are (in, out), vectors (out).</summary>
internal sealed record Gpt2Layer(
    Tensor Norm1Gain, Tensor Norm1Bias, Tensor QkvWeight, Tensor QkvBias, Tensor ProjectionWeight, Tensor ProjectionBias,
    Tensor Norm2Gain, Tensor Norm2Bias, Tensor UpWeight, Tensor UpBias, Tensor DownWeight, Tensor DownBias);
