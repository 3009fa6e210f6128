using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Storage;

/// <summary>What a run had come to after a round.</summary>
/// <param name="Version">Rounds that were committed.</param>
/// <param name="Tokens">Trained on up to there, over all replicas.</param>
/// <param name="TrainLossNats">Mean over the round's replicas, nats per token; null before the first round.</param>
/// <param name="Score">On the held-out text; null where the version was not scored.</param>
public sealed record CurvePoint(int Version, long Tokens, double? TrainLossNats, VersionScore? Score);

/// <summary>A run's losses as the journal has them: all rounds, whether the run is at work or not.</summary>
/// <param name="Settings">What it was started with.</param>
/// <param name="Points">Oldest first.</param>
public sealed record RunCurve(RunId Id, TrainingSettings Settings, Digest Corpus, IReadOnlyList<CurvePoint> Points)
{
    /// <summary>Where its settings change in mid-run, first to last.</summary>
    public IReadOnlyList<RunSegment> Changes { get; init; } = [];

    /// <summary>What it was started with, and what each change made of that, first to last.</summary>
    public IReadOnlyList<SettingsFrom> History { get; init; } = [new(0, Settings)];

    /// <summary>The stretches of the run under one set of settings, first to last.</summary>
    public IReadOnlyList<Segment> Segments { get; init; } = [];

    /// <summary>The curve of a run's events; null where the run has not begun.</summary>
    public static RunCurve? Of(RunId run, IEnumerable<RunEvent> events)
    {
        var fold = new RunCurveFold(run);
        fold.Add(events);
        return fold.Curve;
    }
}
