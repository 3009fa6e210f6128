using Elastic.Coordination;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Actors.Runs;

/// <summary>Records the observations of one run, for people and machines. Part of RunSupervisor: used on its mailbox only.</summary>
internal sealed class RunObserver(RunId run, Observations observations)
{
    // A run waits now and then for a moment; who is told of it should have something to do.
    private static readonly TimeSpan LongWait = TimeSpan.FromSeconds(30);

    private readonly GoodputLedger _goodput = new(run);

    // What each node last said of the steps that it skipped in a round of a replica.
    private readonly Dictionary<(NodeId Node, int Replica), (int Round, int Skipped)> _skipped = [];

    // What each node last said of how a replica's model is split there.
    private readonly Dictionary<(NodeId Node, int Replica), string> _splits = [];
    private (int Round, RunPhase Phase, TimeSpan Since)? _phase;
    private TimeSpan? _waitsSince;
    private bool _isWaiting;
    private int? _wanted;
    private string? _failure;

    /// <summary>Compares the run with its last state: records a phase that has ended, what it waits for, and a failure.</summary>
    public void Look(RunCoordinator coordinator, TimeSpan now)
    {
        if (coordinator.Plan is not null && (coordinator.Run.Round, coordinator.Phase) is var stands
            && (_phase?.Round, _phase?.Phase) != stands)
        {
            if (_phase is { } over)
                observations.Record(new PhaseDuration(run, over.Round, over.Phase, (now - over.Since).TotalSeconds));
            _phase = (stands.Round, stands.Phase, now);
        }

        _goodput.Look(coordinator.View.InFlight, now);
        Want(coordinator);
        Wait(coordinator, now);
        if (coordinator.Failure is { } why && why != _failure)
            observations.Record(new RunFailed(run, why));
        _failure = coordinator.Failure;
    }

    /// <summary>Records what somebody has to be told of and was perhaps not: the last supervisor may have died at that moment.</summary>
    public void Recovered(RunState state)
    {
        if (state is { IsFinished: true, Fingerprint: { } fingerprint })
            observations.RecordOnce(new RunFinished(run, state.Round, fingerprint.ToString()));
        foreach (var (node, why) in state.Quarantined)
            observations.RecordOnce(new NodeQuarantined(run, new NodeId(node), why));
    }

    /// <summary>Records what these stored events mean.</summary>
    public void Stored(IEnumerable<RunEvent> events)
    {
        foreach (var e in events)
        {
            if (Of(e) is { } what)
                observations.Record(what);
            if (_goodput.Stored(e) is { } goodput)
                observations.Record(goodput);
            if (e is RunEvent.WorkLost lost)
            {
                foreach (var replica in lost.Replicas)
                    observations.Record(new ResultLost(run, lost.Round, replica, lost.Why));
            }

            if (e is RunEvent.VersionEvaluated scored)
            {
                foreach (var source in scored.Sources ?? [])
                    observations.Record(new ScoreOfSource(run, scored.Score.Version, source.Source, source.Nats, source.Targets));
                foreach (var language in scored.Languages ?? [])
                    observations.Record(new ScoreOfLanguage(run, scored.Score.Version, language.Source, language.Nats, language.Targets));
            }
        }
    }

    public void Step(NodeReport.StepTaken step, TimeSpan now)
    {
        observations.Record(new StepLoss(run, step.Node, step.Round, step.Replica, step.Step, step.LossNats, step.LearningRate));
        if (_goodput.Step(step.Node, step.Round, step.Replica, now) is { } recovered)
            observations.Record(recovered);
        Split(step);
        if (step.Scaling is not { } scaling)
            return;
        var before = _skipped.GetValueOrDefault((step.Node, step.Replica));
        _skipped[(step.Node, step.Replica)] = (step.Round, scaling.Skipped);
        // A node that begins the round anew counts from 0.
        var since = before.Round == step.Round && before.Skipped <= scaling.Skipped ? before.Skipped : 0;
        if (scaling.Skipped > since)
            observations.Record(new StepsSkipped(run, step.Node, step.Round, step.Replica, scaling.Skipped - since, scaling.Scale));
    }

    // Once, until it changes.
    private void Split(NodeReport.StepTaken step)
    {
        if (step.SplitNotice is not { } how)
            _splits.Remove((step.Node, step.Replica));
        else if (_splits.GetValueOrDefault((step.Node, step.Replica)) != how)
        {
            _splits[(step.Node, step.Replica)] = how;
            observations.Record(new SplitSmaller(run, step.Node, step.Round, step.Replica, how));
        }
    }

    /// <summary>Records that a device was lost in the middle of work.</summary>
    public void Lost(NodeReport.DeviceLost lost) => observations.Record(new DeviceLost(
        run, lost.Node, lost.Device.Value, lost.Work.Kind, lost.Work.Number, lost.Work.Index, lost.RepeatsStep, lost.Why));

    /// <summary>Records that work failed on its node, and is given out once more.</summary>
    public void GivenAgain(InFlightWork work, string why, TimeSpan now)
    {
        observations.Record(new WorkGivenAgain(run, work.Node, work.Work.Kind, work.Work.Number, work.Work.Index, why));
        if (ComputeWork.ReplicaOf(work.Work) is { } replica)
            _goodput.Lost(replica, now);
    }

    /// <summary>Records the work that a given-up node loses.</summary>
    /// <param name="before">The view of the cluster before the loss.</param>
    public void Lost(NodeId node, ClusterView before, TimeSpan now)
    {
        foreach (var work in before.InFlight.Keys.Where(work => work.Node == node))
            GivenAgain(work, "the node is given up", now);
    }

    // Autoscalers want to know for how many devices there is work. More than one for a replica makes it faster, but none needs them.
    private void Want(RunCoordinator coordinator)
    {
        if (coordinator.Plan is not { } plan)
            return;
        var wanted = coordinator.Lifecycle is Lifecycle.Running or Lifecycle.Waiting or Lifecycle.Surveying
            && coordinator.Run.Round < plan.Rounds ? plan.Stages * plan.ReplicasAt(coordinator.Run.Round) : 0;
        if (_wanted != wanted)
            observations.Record(new DevicesWanted(run, wanted));
        _wanted = wanted;
    }

    private void Wait(RunCoordinator coordinator, TimeSpan now)
    {
        if (coordinator.WaitsFor is not { } what)
        {
            (_waitsSince, _isWaiting) = (null, false);
            return;
        }

        _waitsSince ??= now;
        if (_isWaiting || now - _waitsSince < LongWait)
            return;
        _isWaiting = true;
        observations.Record(new RunWaits(run, what));
    }

    private Observation? Of(RunEvent e) => e switch
    {
        RunEvent.RoundCommitted c => new RoundCommitted(run, c.Round, c.TokensSeen),
        RunEvent.VersionEvaluated { Score: var score } => new Score(run, score.Version, score.LossNats, score.BitsPerByte),
        RunEvent.NodeQuarantined q => new NodeQuarantined(run, q.Node, q.Why),
        RunEvent.RunFinished f => new RunFinished(run, f.Rounds, f.Fingerprint.ToString()),
        _ => null,
    };
}
