using System.Runtime.InteropServices;
using Elastic.Kernels;

namespace Elastic.Model.Networks;

/// <summary>
/// The seed of one inner step's dropout, and of its batches' random choices. It does not depend on which device computes the step, nor on
/// when.
/// </summary>
/// <param name="Seed">The run's seed.</param>
/// <param name="Round">The round.</param>
/// <param name="Replica">The replica.</param>
/// <param name="Step">The inner step within the round.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct DropoutSeed(ulong Seed, int Round, int Replica, int Step);

/// <summary>Where in a layer a mask applies.</summary>
public enum DropoutSite
{
    /// <summary>After the embeddings.</summary>
    Embedding,

    /// <summary>On the weights of the attention.</summary>
    AttentionWeights,

    /// <summary>Before the attention's residual sum.</summary>
    AttentionOutput,

    /// <summary>Before the residual sum of the feed-forward network.</summary>
    MlpOutput,

    /// <summary>On the weights of a decoder's attention to its encoder.</summary>
    CrossWeights,

    /// <summary>Before the residual sum of that attention.</summary>
    CrossOutput,
}

/// <summary>
/// Dropout (Srivastava et al. 2014) at one place of a network: zero with <paramref name="Probability"/>, else multiplied by 1 / (1 - p).
/// Which elements are dropped is a function of (seed, round, replica, step, micro-batch, layer, site) and the element's index, so nothing
/// is kept for the backward pass: it draws the same again.
/// </summary>
public sealed record DropoutMask(double Probability, int Layer, DropoutSite Site)
{
    /// <summary>The probability as kernels take it.</summary>
    internal DropoutRate Rate { get; } = DropoutRate.Of(Probability);

    /// <summary>The key of the random numbers of one micro-batch.</summary>
    public ulong Key(DropoutSeed seed, int microBatch)
        => Kernels.Dropout.Key(seed.Seed, seed.Round, seed.Replica, seed.Step, microBatch, Layer, (int)Site);
}
