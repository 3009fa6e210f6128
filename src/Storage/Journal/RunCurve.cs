using System.Data.Common;
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

    /// <summary>The stretches of the run under one set of settings, first to last.</summary>
    public IReadOnlyList<Segment> Segments { get; init; } = [];

    /// <summary>The newest run of that name; null where there is none.</summary>
    /// <exception cref="ElasticException">Its events cannot be read.</exception>
    /// <exception cref="DbException">The database cannot be read.</exception>
    /// <exception cref="TimeoutException">Likewise.</exception>
    public static async Task<RunCurve?> ReadAsync(DatabaseAddress database, RunName name, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(database);
        return (await new RunList(database.ReadOnly()).ReadAsync(cancel)).LastOrDefault(r => r.Name == name.Value) is { } listed
            ? Of(listed.Run, await JournalReader.ReadAsync(database, listed.Run, cancel))
            : null;
    }

    /// <summary>That of a run's events; null where the run has not begun.</summary>
    public static RunCurve? Of(RunId run, IEnumerable<RunEvent> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        var (state, points) = (RunState.Empty(run), new SortedDictionary<int, CurvePoint>());
        foreach (var e in events)
        {
            state = Run.Apply(state, e);
            switch (e)
            {
                case RunEvent.RoundCommitted committed:
                    points[state.Round] = new CurvePoint(state.Round, committed.TokensSeen, state.TrainLossNats, null);
                    break;
                case RunEvent.VersionEvaluated { Score: var score }:
                    points[score.Version] = (points.GetValueOrDefault(score.Version) ?? new CurvePoint(score.Version, 0, null, null))
                        with
                    { Score = score };
                    break;
                // The rounds behind it are computed again.
                case RunEvent.RolledBack:
                    foreach (var version in points.Keys.Where(v => v > state.Round).ToList())
                        points.Remove(version);
                    break;
            }
        }

        if (!state.Exists)
            return null;
        var plan = RunPlan.Of(state);
        return new RunCurve(run, SettingsInForce.AtStart(state), state.Corpus!.Value, [.. points.Values])
        {
            Changes = plan.Changes,
            Segments = plan.Timeline.Segments,
        };
    }
}
