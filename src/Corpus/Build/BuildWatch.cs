namespace Elastic.Corpus.Build;

/// <summary>How far a build is.</summary>
/// <param name="Documents">Documents in the pieces that are read; while tokens are made, documents that have theirs.</param>
/// <param name="Bytes">Bytes of the files of the pieces that are read; or of the text that has tokens.</param>
/// <param name="OfBytes">Bytes of all files; of a trial, those of the pieces that are read; or of the text.</param>
public sealed record BuildProgress(long Documents, long Bytes, long OfBytes)
{
    /// <summary>Tokens that were made; 0 while none are.</summary>
    public long Tokens { get; init; }

    /// <summary>What is done now, in words.</summary>
    public string Phase { get; init; } = BuildWatch.Lists;

    /// <summary>
    /// What each stage has dropped so far. A stage that compares documents drops when all are read; then those behind it may drop fewer.
    /// </summary>
    public IReadOnlyList<(string Stage, long Documents)> Dropped { get; init; } = [];
}

/// <summary>What a build says of itself: to people how far it is, and to a test each step before it is taken. Thread-safe.</summary>
/// <param name="step">Takes the name of each step: many a second, on many threads.</param>
internal sealed class BuildWatch(BuildManifest manifest, IProgress<BuildProgress>? progress, Action<string>? step)
{
    public const string Lists = "lists its sources", Finds = "looks at what was read before", Reads = "reads", Writes = "writes";

    private readonly Lock _gate = new();
    private readonly DropCounts _drops = new(manifest);
    private BuildProgress _now = new(0, 0, 0);

    /// <summary>A step comes.</summary>
    public void Step(string name) => step?.Invoke(name);

    /// <summary>So many bytes more are to be read.</summary>
    public void Expect(long bytes)
    {
        lock (_gate)
            _now = _now with { OfBytes = _now.OfBytes + bytes };
    }

    /// <summary>Another phase begins.</summary>
    public void Enter(string phase) => Report(now => now with { Phase = phase });

    /// <summary>A piece was read.</summary>
    public void Add(IEnumerable<PieceDocument> read, long documents, long bytes)
    {
        var dropped = progress is null ? null : _drops.Count(read);
        Report(now =>
        {
            if (dropped is not null)
                _drops.Add(dropped);
            return now with { Documents = now.Documents + documents, Bytes = now.Bytes + bytes };
        });
    }

    /// <summary>A stage has decided about all documents.</summary>
    public void Decided(int stage, long dropped) => Report(now =>
    {
        _drops.Set(stage, dropped);
        return now;
    });

    private void Report(Func<BuildProgress, BuildProgress> change)
    {
        lock (_gate)
        {
            _now = change(_now);
            progress?.Report(_now with { Dropped = _drops.All });
        }
    }
}
