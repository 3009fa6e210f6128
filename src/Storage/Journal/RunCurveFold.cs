using Elastic.Coordination;
using Elastic.Messages;
using Elastic.Messages.Runs;

namespace Elastic.Storage;

/// <summary>A run's curve, which grows with its events.</summary>
internal sealed class RunCurveFold(RunId run)
{
    private readonly SortedDictionary<int, CurvePoint> _points = [];
    private RunState _state = RunState.Empty(run);

    /// <summary>How many events are in it.</summary>
    public long Events { get; private set; }

    /// <summary>The curve as far as the events go; null before the first one.</summary>
    public RunCurve? Curve
    {
        get
        {
            if (!_state.Exists)
                return null;
            var plan = RunPlan.Of(_state);
            return new RunCurve(run, SettingsInForce.AtStart(_state), _state.Corpus!.Value, [.. _points.Values])
            {
                Changes = plan.Changes,
                History = SettingsInForce.History(_state),
                Segments = plan.Timeline.Segments,
            };
        }
    }

    /// <summary>Adds the events that follow, oldest first.</summary>
    public void Add(IEnumerable<RunEvent> events)
    {
        foreach (var e in events)
        {
            _state = Run.Apply(_state, e);
            Events++;
            switch (e)
            {
                case RunEvent.RoundCommitted committed:
                    _points[_state.Round] = new CurvePoint(_state.Round, committed.TokensSeen, _state.TrainLossNats, null);
                    break;
                case RunEvent.VersionEvaluated { Score: var score }:
                    _points[score.Version] = (_points.GetValueOrDefault(score.Version) ?? new CurvePoint(score.Version, 0, null, null))
                        with
                    { Score = score };
                    break;
                // The rounds behind it are computed again.
                case RunEvent.RolledBack:
                    foreach (var version in _points.Keys.Where(v => v > _state.Round).ToList())
                        _points.Remove(version);
                    break;
            }
        }
    }
}
