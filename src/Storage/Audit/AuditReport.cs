using Elastic.Messages.Runs;

namespace Elastic.Storage;

/// <summary>One pass over the corpus.</summary>
/// <param name="Consumed">Blocks consumed in it, each exactly once.</param>
/// <param name="Blocks">Blocks in the corpus.</param>
public readonly record struct EpochCount(long Epoch, long Consumed, long Blocks);

/// <summary>How often the blocks of a source were consumed, where <c>corpus.mixture</c> says how often.</summary>
/// <param name="Blocks">Blocks of the source.</param>
/// <param name="Samples">How many samples were read of them.</param>
/// <param name="Least">How often the block was read that was read least.</param>
/// <param name="Most">How often the one was that was read most.</param>
public readonly record struct SourceCounts(string Source, long Blocks, long Samples, int Least, int Most);

/// <summary>What an audit found.</summary>
/// <param name="Rounds">Committed rounds that were checked.</param>
/// <param name="Drawn">What was to be computed by two nodes.</param>
/// <param name="Problems">What does not fit, one sentence each; empty when the run is proven.</param>
public sealed record AuditReport(
    int Rounds, long Samples, long Tokens, IReadOnlyList<EpochCount> Epochs, DrawnResults Drawn, IReadOnlyList<string> Problems)
{
    /// <summary>Counts of each source, where the run mixes them; else empty.</summary>
    public IReadOnlyList<SourceCounts> Sources { get; init; } = [];

    /// <summary>What was changed in mid-run, in the rounds that were checked.</summary>
    public IReadOnlyList<RunSegment> Changes { get; init; } = [];

    /// <summary>
    /// True when every block was consumed exactly once per epoch, or as often as the mixture says, and every digest fits. Of no round there
    /// is nothing to prove.
    /// </summary>
    public bool IsProven => Problems.Count == 0 && Rounds > 0;
}
