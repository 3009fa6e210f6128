using System.Runtime.CompilerServices;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Evaluation;
using Elastic.Model.Vectors;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Model.Networks;

/// <summary>
/// GPT-2 (Radford et al. 2019), forward and backward written out: gradients overwrite the views of the flat gradient vector directly,
/// so that nothing is zeroed, added or copied without need.
/// B batch, T tokens, N = B T rows, C channels, H heads, V tokens of the vocabulary.
/// </summary>
internal sealed class Gpt2(ModelSettings model, double labelSmoothing, torch.Device device) : INetwork
{
    private readonly LossHead _head = new(model.Vocabulary, model.PaddedVocabulary, labelSmoothing, device);

    // The tensors of each set of views, as long as the views are in use.
    private readonly ConditionalWeakTable<ParameterViews, Gpt2Tensors> _tensors = [];

    /// <inheritdoc/>
    public double ForwardBackward(MicroBatch batch, ParameterViews parameters, ParameterViews gradients, DropoutSeed seed)
    {
        using var scope = NewDisposeScope();
        var (p, g) = (TensorsOf(parameters), TensorsOf(gradients));
        var inputs = Tokens(batch.Inputs, batch.Rows);                                                       // (B, T)
        var targets = Tokens(batch.Targets, batch.Rows).view(-1);                                            // (N)
        var trunk = Trunk(inputs, p, DropoutMasks.For(model.Dropout, seed, batch.Index), true);
        var rows = targets.shape[0];
        var (losses, dh) = _head.ForwardBackward(trunk.H, targets, p.Head, g.Head, 1.0 / batch.StepShares / rows);
        var dx = Operators.LayerNormBackward(
            dh, trunk.X, trunk.Mean, trunk.InverseDeviation, p.FinalGain, p.FinalBias, g.FinalGain, g.FinalBias);
        for (var i = model.Layers - 1; i >= 0; i--)
        {
            var outer = dx;
            dx = LayerBackward(dx, trunk.Layers[i], p.Layers[i], g.Layers[i]);
            outer.Dispose();
        }
        EmbeddingBackward(dx, inputs, trunk.EmbeddingMask, g);
        return losses.sum(ScalarType.Float64).item<double>() / rows;
    }

    /// <inheritdoc/>
    public ScoreSum[] Evaluate(MicroBatch batch, ParameterViews parameters)
    {
        using var scope = NewDisposeScope();
        var p = TensorsOf(parameters);
        var inputs = Tokens(batch.Inputs, batch.Rows);
        var losses = _head.Losses(Trunk(inputs, p, null, false).H, Tokens(batch.Targets, batch.Rows).view(-1), p.Head);
        var sums = losses.view(inputs.shape).to(float64).sum(1).to(CPU);                                     // (B)
        return [.. sums.data<double>().Select(nats => new ScoreSum(nats, batch.Columns))];
    }

    /// <inheritdoc/>
    public float[] Logits(ReadOnlySpan<int> tokens, ParameterViews parameters)
    {
        using var scope = NewDisposeScope();
        var p = TensorsOf(parameters);
        var h = Trunk(Tokens(tokens, 1), p, null, false).H.narrow(0, tokens.Length - 1, 1);                  // (1, C)
        return h.matmul(p.Head.t()).to(CPU).data<float>().ToArray();
    }

    /// <inheritdoc/>
    public void Dispose() => _head.Dispose();

    private Gpt2Tensors TensorsOf(ParameterViews views) => _tensors.GetValue(views, v => new Gpt2Tensors(v, model.Layers));

    private Tensor Tokens(ReadOnlySpan<int> tokens, int rows) => TokenTensor.Of(tokens, rows, model.Context, model.Vocabulary, device);

    // What the backward pass of one block needs. X0 enters the block, X1 its second half.
    private sealed record SavedLayer(
        Tensor X0, Tensor Norm1, Tensor Mean1, Tensor InverseDeviation1, Attention Attention, Tensor Mixed, Tensor? AttentionMask,
        Tensor X1, Tensor Norm2, Tensor Mean2, Tensor InverseDeviation2, Tensor Up, Tensor Activated, Tensor? MlpMask);

    private sealed record SavedTrunk(
        Tensor H, Tensor X, Tensor Mean, Tensor InverseDeviation, IReadOnlyList<SavedLayer> Layers, Tensor? EmbeddingMask);

    // (B, T) -> H (N, C): everything below the head.
    private SavedTrunk Trunk(Tensor inputs, Gpt2Tensors p, DropoutMasks? dropout, bool keep)
    {
        var (B, T, C) = (inputs.shape[0], inputs.shape[1], (long)model.Width);
        var x = p.TokenEmbedding.index_select(0, inputs.view(-1)).view(B, T, C).add_(p.PositionEmbedding.narrow(0, 0, T)).view(B * T, C);
        var mask = dropout?.Mask(model.Layers, DropoutSite.Embedding, [B * T, C], device);
        if (mask is not null)
            x.mul_(mask);
        var saved = new List<SavedLayer>();
        for (var i = 0; i < model.Layers; i++)
        {
            using var scope = NewDisposeScope();
            var (y, layer) = LayerForward(x, (int)B, i, p.Layers[i], dropout);
            if (keep)
            {
                scope.MoveToOuter(scope.DisposablesView.OfType<Tensor>().ToArray());
                saved.Add(layer);
            }
            else
            {
                x.Dispose();
                y.MoveToOuterDisposeScope();
            }
            x = y;
        }
        var (h, mean, inverse) = Operators.LayerNorm(x, p.FinalGain, p.FinalBias);
        return new SavedTrunk(h, x, mean, inverse, saved, mask);
    }

    private (Tensor Y, SavedLayer Saved) LayerForward(Tensor x0, int batch, int layer, Gpt2Layer p, DropoutMasks? dropout)
    {
        var (n1, mean1, inverse1) = Operators.LayerNorm(x0, p.Norm1Gain, p.Norm1Bias);                       // (N, C)
        var qkv = Operators.Linear(n1, p.QkvWeight, p.QkvBias);                                              // (N, 3 C)
        var T = x0.shape[0] / batch;
        var (mixed, attention) = Attention.Forward(
            qkv, batch, model.Heads, dropout?.Mask(layer, DropoutSite.AttentionWeights, [batch, model.Heads, T, T], device));
        var x1 = Operators.Linear(mixed, p.ProjectionWeight, p.ProjectionBias);                              // (N, C)
        var attentionMask = dropout?.Mask(layer, DropoutSite.AttentionOutput, x1.shape, device);
        if (attentionMask is not null)
            x1.mul_(attentionMask);
        x1.add_(x0);
        var (n2, mean2, inverse2) = Operators.LayerNorm(x1, p.Norm2Gain, p.Norm2Bias);
        var up = Operators.Linear(n2, p.UpWeight, p.UpBias);                                                 // (N, 4 C)
        var activated = Operators.Gelu(up);
        var y = Operators.Linear(activated, p.DownWeight, p.DownBias);                                       // (N, C)
        var mlpMask = dropout?.Mask(layer, DropoutSite.MlpOutput, y.shape, device);
        if (mlpMask is not null)
            y.mul_(mlpMask);
        y.add_(x1);
        return (y, new SavedLayer(
            x0, n1, mean1, inverse1, attention, mixed, attentionMask, x1, n2, mean2, inverse2, up, activated, mlpMask));
    }

    // dy (N, C), the gradient of the block's output -> dx (N, C), that of its input.
    private static Tensor LayerBackward(Tensor dy, SavedLayer s, Gpt2Layer p, Gpt2Layer g)
    {
        using var scope = NewDisposeScope();
        var dDown = s.MlpMask is null ? dy : dy * s.MlpMask;
        var dActivated = Operators.LinearBackward(dDown, s.Activated, p.DownWeight, g.DownWeight, g.DownBias);
        var dUp = Operators.GeluBackward(dActivated, s.Up);
        var dn2 = Operators.LinearBackward(dUp, s.Norm2, p.UpWeight, g.UpWeight, g.UpBias);
        var dx1 = Operators.LayerNormBackward(
            dn2, s.X1, s.Mean2, s.InverseDeviation2, p.Norm2Gain, p.Norm2Bias, g.Norm2Gain, g.Norm2Bias).add_(dy);
        var dProjection = s.AttentionMask is null ? dx1 : dx1 * s.AttentionMask;
        var dMixed = Operators.LinearBackward(dProjection, s.Mixed, p.ProjectionWeight, g.ProjectionWeight, g.ProjectionBias);
        var dQkv = s.Attention.Backward(dMixed);
        var dn1 = Operators.LinearBackward(dQkv, s.Norm1, p.QkvWeight, g.QkvWeight, g.QkvBias);
        return Operators.LayerNormBackward(
            dn1, s.X0, s.Mean1, s.InverseDeviation1, p.Norm1Gain, p.Norm1Bias, g.Norm1Gain, g.Norm1Bias)
            .add_(dx1).MoveToOuterDisposeScope();
    }

    // Runs after the head, which has overwritten the token embedding's gradient with its own share.
    private void EmbeddingBackward(Tensor dx, Tensor inputs, Tensor? mask, Gpt2Tensors g)
    {
        var (B, T) = (inputs.shape[0], inputs.shape[1]);
        if (mask is not null)
            dx.mul_(mask);
        Operators.AddRows(g.TokenEmbedding, inputs.view(-1), dx);
        g.PositionEmbedding.narrow(0, 0, T).copy_(dx.view(B, T, model.Width).sum(dim: 0));
        if (T < model.Context)
            g.PositionEmbedding.narrow(0, T, model.Context - T).zero_();
    }
}
