using Elastic.Kernels;
using Elastic.Model.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Model.Networks;

/// <summary>
/// The head and its loss, forward and backward in one, without autograd and without ever holding all logits: it takes the rows in pieces,
/// and each piece of logits becomes its own gradient in place.
///
///   loss   = log Σ exp(z) - (1 - ε) z[target] - ε/V Σ z          (Szegedy et al. 2016, section 7; ε label smoothing, V real tokens)
///   dloss/dz = softmax(z) - (1 - ε) 1[target] - ε/V
///
/// N rows, C channels, V tokens of the vocabulary; its padding takes no part.
/// </summary>
internal sealed class LossHead(int vocabulary, int paddedVocabulary, double labelSmoothing, torch.Device device) : IDisposable
{
    // 128 rows of GPT-2's vocabulary are 26 MB.
    internal const int RowsAtOnce = 128;

    private Tensor? _logits; // (RowsAtOnce, padded vocabulary), kept from step to step

    /// <summary>
    /// Computes the loss and its gradients, scaled by <paramref name="scale"/>: overwrites the view of the embedding's gradient,
    /// returns the gradient of <paramref name="h"/>.
    /// </summary>
    /// <param name="h">(N, C), after the last LayerNorm.</param>
    /// <param name="targets">(N), int64.</param>
    /// <returns>Loss of each row in nats, (N), and dh, (N, C).</returns>
    public (Tensor Losses, Tensor Dh) ForwardBackward(Tensor h, Tensor targets, Tensor embedding, Tensor embeddingGradient, double scale)
    {
        using var scope = NewDisposeScope();
        var rows = h.shape[0];
        var dh = empty_like(h);
        var losses = empty(rows, float32, device);
        for (long at = 0; at < rows; at += RowsAtOnce)
        {
            using var piece = NewDisposeScope();
            var count = Math.Min(RowsAtOnce, rows - at);
            var (x, target) = (h.narrow(0, at, count), targets.narrow(0, at, count));
            var z = Logits(x, embedding);
            losses.narrow(0, at, count).copy_(Gradient(z, target, scale));
            Matmul.Multiply(dh.narrow(0, at, count), z, embedding);
            Matmul.Multiply(embeddingGradient, z.t(), x, at > 0);
        }
        return (losses.MoveToOuterDisposeScope(), dh.MoveToOuterDisposeScope());
    }

    /// <summary>Plain cross-entropy of each row in nats, (N); no gradient and no smoothing.</summary>
    public Tensor Losses(Tensor h, Tensor targets, Tensor embedding)
    {
        using var scope = NewDisposeScope();
        var rows = h.shape[0];
        var losses = empty(rows, float32, device);
        for (long at = 0; at < rows; at += RowsAtOnce)
        {
            using var piece = NewDisposeScope();
            var count = Math.Min(RowsAtOnce, rows - at);
            var z = Logits(h.narrow(0, at, count), embedding);
            var target = targets.narrow(0, at, count);
            losses.narrow(0, at, count).copy_(z.device_type == DeviceType.CPU && !Matmul.ManyThreads
                ? GradientOnCpu(z, target, 0, 0) // the logits are not needed any more
                : z.logsumexp(1) - z.gather(1, target.unsqueeze(1)).squeeze(1));
        }
        return losses.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => _logits?.Dispose();

    // x Wᵀ into the reused buffer. (n, C) (V, C) -> (n, V), rows a padded vocabulary apart.
    private Tensor Logits(Tensor x, Tensor embedding)
    {
        _logits ??= empty(new long[] { RowsAtOnce, paddedVocabulary }, float32, device).DetachFromDisposeScope();
        return Matmul.Multiply(_logits.narrow(0, 0, x.shape[0]).narrow(1, 0, vocabulary), x, embedding.t());
    }

    // Turns logits (n, V) into the gradient of scale * loss, in place; returns the losses, (n).
    private Tensor Gradient(Tensor z, Tensor targets, double scale)
    {
        if (z.device_type == DeviceType.CPU && !Matmul.ManyThreads)
            return GradientOnCpu(z, targets, labelSmoothing, scale);
        var index = targets.unsqueeze(1);
        var logSumExp = z.logsumexp(1, true);                                                    // (n, 1)
        var loss = logSumExp - z.gather(1, index) * (1 - labelSmoothing);
        if (labelSmoothing > 0)
            loss.sub_(z.mean(new long[] { 1 }, true) * labelSmoothing);
        z.sub_(logSumExp).exp_();
        if (labelSmoothing > 0)
            z.sub_(labelSmoothing / vocabulary);
        z.scatter_add_(1, index, full_like(index, labelSmoothing - 1, float32)).mul_(scale);
        return loss.squeeze(1);
    }

    private unsafe Tensor GradientOnCpu(Tensor z, Tensor targets, double smoothing, double scale)
    {
        var losses = empty(z.shape[0], float32, device);
        float* logits = Dispatcher.Floats(z), into = Dispatcher.Floats(losses);
        var tokens = targets.data<long>().ToArray();
        for (var row = 0; row < tokens.Length; row++)
            into[row] = (float)SoftmaxGradient.Row(logits + row * z.stride(0), vocabulary, tokens[row], smoothing, scale);
        return losses;
    }
}
