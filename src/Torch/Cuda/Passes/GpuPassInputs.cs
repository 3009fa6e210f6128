using Elastic.Model.Networks;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>What goes through a pass on a GPU. N rows of the micro-batch, M of its sources.</summary>
internal sealed record GpuPassInputs : IDisposable
{
    /// <summary>(N), int32.</summary>
    public required Tensor Tokens { get; init; }

    /// <summary>(N), int32: the token to predict at each row; null where none is.</summary>
    public Tensor? Targets { get; init; }

    /// <summary>(N), fp32: 1 where a target is counted, else 0; null where all are.</summary>
    public Tensor? Counted { get; init; }

    /// <summary>(N): the type of each token; null where all are of the first.</summary>
    public Tensor? Types { get; init; }

    /// <summary>(N): rows of a sequence see each other only where this is the same; null where all do.</summary>
    public Tensor? Segments { get; init; }

    /// <summary>(M), int32: the tokens of the sources; null where the network reads none.</summary>
    public Tensor? Sources { get; init; }

    /// <summary>(M): 0 inside of a source, 1 behind its end; null where each is as long as there are places.</summary>
    public Tensor? SourceSegments { get; init; }

    /// <summary>Which rows each token stands in, those of sources first; made when a backward pass first asks.</summary>
    public required Lazy<TokenRows> TokenRows { get; init; }

    /// <summary>What FlashAttention-2 computes; null where plain operators compute attention.</summary>
    public AttentionRules? Rules { get; init; }

    /// <summary>Opens a pass over the same tape by libtorch's plain operators, for what no kernel of ours computes.</summary>
    public required Func<GpuPass, ITapePass> Plain { get; init; }

    /// <summary>Seeds the masks of a training pass.</summary>
    public DropoutSeed Seed { get; init; }

    /// <summary>The index of the first micro-batch within its step.</summary>
    public int FirstMicroBatch { get; init; }

    /// <summary>What the sum of the losses is multiplied by before its gradient is taken.</summary>
    public double LossFactor { get; init; } = 1;

    /// <summary>Elements of logits that are held at once.</summary>
    public required long LogitsAtOnce { get; init; }

    private Tensor?[] All => [Tokens, Targets, Counted, Types, Segments, Sources, SourceSegments];

    /// <summary>From now on its own <see cref="Dispose"/> frees its tensors, not the scope that they were made in.</summary>
    public void KeepAfterScope()
    {
        foreach (var tensor in All)
            tensor?.DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in All)
            tensor?.Dispose();
        Rules?.Dispose();
        if (TokenRows.IsValueCreated)
            TokenRows.Value.Dispose();
    }
}
