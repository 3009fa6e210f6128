using Elastic.Corpus.Build;

namespace Elastic.Actors.Control;

/// <summary>How fast a build reads, or makes tokens: its progress of the last minute. Not thread-safe.</summary>
public sealed class BuildPace
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly Queue<(TimeSpan At, BuildProgress Progress)> _samples = [];
    private readonly TimeProvider _time;
    private readonly long _began;

    public BuildPace(TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        (_time, _began) = (time, time.GetTimestamp());
    }

    /// <summary>The newest progress.</summary>
    public BuildProgress Progress { get; private set; } = new(0, 0, 0);

    /// <summary>Takes the newest progress.</summary>
    public void Add(BuildProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        var now = _time.GetElapsedTime(_began);
        if (_samples.Count == 0)
            _samples.Enqueue((now, Progress));
        Progress = progress;
        _samples.Enqueue((now, progress));
        while (_samples.Count > 1 && now - _samples.Peek().At > Window)
            _samples.Dequeue();
    }

    /// <summary>How far the build is at this moment.</summary>
    public BuildSight Sight()
    {
        var now = _time.GetElapsedTime(_began);
        var (at, before) = _samples.TryPeek(out var oldest) ? oldest : (now, Progress);
        var seconds = (now - at).TotalSeconds;
        return new BuildSight(
            Progress.Phase, Progress.Documents, Progress.Bytes, Progress.OfBytes,
            Rate(p => p.Documents), Rate(p => p.Bytes), 0, Progress.Dropped, [], 0)
        {
            Tokens = Progress.Tokens,
            TokensPerSecond = Rate(p => p.Tokens),
        };

        double Rate(Func<BuildProgress, long> of) => seconds > 0 ? (of(Progress) - of(before)) / seconds : 0;
    }
}
