namespace Elastic.Storage;

/// <summary>One pass over the corpus.</summary>
/// <param name="Consumed">Blocks consumed in it, each exactly once.</param>
/// <param name="Blocks">Blocks in the corpus.</param>
public readonly record struct EpochCount(long Epoch, long Consumed, long Blocks);

/// <summary>What an audit found.</summary>
/// <param name="Rounds">Committed rounds that were checked.</param>
/// <param name="Drawn">What was to be computed by two nodes.</param>
/// <param name="Problems">What does not fit, one sentence each; empty when the run is proven.</param>
public sealed record AuditReport(
    int Rounds, long Samples, long Tokens, IReadOnlyList<EpochCount> Epochs, DrawnResults Drawn, IReadOnlyList<string> Problems)
{
    /// <summary>
    /// True when every block was consumed exactly once per epoch, and every digest fits. Of no round there is nothing to prove.
    /// </summary>
    public bool IsProven => Problems.Count == 0 && Rounds > 0;
}
