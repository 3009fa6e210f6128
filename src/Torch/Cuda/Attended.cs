using static TorchSharp.torch;

namespace Elastic.Torch.Cuda;

/// <summary>
/// What <see cref="FlashAttention"/>'s forward pass made, with what its backward pass reads: belongs to no dispose scope, and holds what it
/// was given until it is disposed of.
/// </summary>
internal sealed class Attended : IDisposable
{
    private readonly Tensor[] _all;

    /// <param name="made">(B, T, H, D) or, with ends, (B T, H, D).</param>
    /// <param name="y">The result as (B, H, T, D), whatever the shape of <paramref name="made"/>.</param>
    /// <param name="rest">The logarithms of the sums, and two numbers that only dropout looks at.</param>
    internal Attended(
        (Tensor Q, Tensor K, Tensor V) given, Tensor made, Tensor y, (Tensor Sums, Tensor Random, Tensor Unused) rest, AttentionRule rule)
    {
        (Given, Made, Y, Rest, Rule) = (given, made, y, rest, rule);
        _all = [given.Q, given.K, given.V, made, y, rest.Sums, rest.Random, rest.Unused];
        foreach (var tensor in _all)
            tensor.DetachFromDisposeScope();
    }

    /// <summary>(B, H, Tq, D), whose memory is that of a contiguous (B, Tq, H, D).</summary>
    public Tensor Y { get; }

    /// <summary>Who saw whom.</summary>
    public AttentionRule Rule { get; }

    internal (Tensor Q, Tensor K, Tensor V) Given { get; }

    internal Tensor Made { get; }

    internal (Tensor Sums, Tensor Random, Tensor Unused) Rest { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in _all)
            tensor.Dispose();
    }
}
