namespace Elastic.Corpus.Build;

/// <summary>
/// What the stages of a manifest drop of the documents that are read so far, while a build goes on: by the stages that decide about each
/// document alone. What is dropped for others is known when all are read, and set then. Not thread-safe.
/// </summary>
public sealed class DropCounts(BuildManifest manifest)
{
    private readonly long[] _dropped = new long[manifest.Stages.Count];

    /// <summary>How many of these documents each stage drops. Reads only them: may be called while others add.</summary>
    public long[] Count(IEnumerable<PieceDocument> documents)
    {
        ArgumentNullException.ThrowIfNull(documents);
        var dropped = new long[_dropped.Length];
        foreach (var document in documents)
        {
            for (var stage = 0; stage < dropped.Length; stage++)
            {
                if (document.Signals[stage] is not { } signals || manifest.Stages[stage].Stage.Refusal(signals) is null)
                    continue;
                dropped[stage]++;
                break;
            }
        }
        return dropped;
    }

    /// <summary>Adds what was counted of a piece.</summary>
    public void Add(long[] dropped)
    {
        ArgumentNullException.ThrowIfNull(dropped);
        for (var stage = 0; stage < dropped.Length; stage++)
            _dropped[stage] += dropped[stage];
    }

    /// <summary>Notes what a stage has dropped in the end.</summary>
    public void Set(int stage, long dropped) => _dropped[stage] = dropped;

    /// <summary>Each stage that has dropped any, with how many.</summary>
    public IReadOnlyList<(string Stage, long Documents)> All =>
        [.. manifest.Stages.Zip(_dropped).Where(s => s.Second > 0).Select(s => (s.First.Kind.Name, s.Second))];
}
