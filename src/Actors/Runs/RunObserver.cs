using Elastic.Coordination;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Actors.Runs;

// Records the observations of one run, for people and machines. Part of RunSupervisor: used on its mailbox only.
internal sealed class RunObserver(RunId run, Observations observations)
{
    private (int Round, RunPhase Phase, TimeSpan Since)? _phase;
    private string? _failure;

    /// <summary>Compares the run with its last state: records a phase that has ended, and a failure.</summary>
    public void Look(RunCoordinator coordinator, TimeSpan now)
    {
        if (coordinator.Plan is not null && (coordinator.Run.Round, coordinator.Phase) is var stands
            && (_phase?.Round, _phase?.Phase) != stands)
        {
            if (_phase is { } over)
                observations.Record(new PhaseDuration(run, over.Round, over.Phase, (now - over.Since).TotalSeconds));
            _phase = (stands.Round, stands.Phase, now);
        }

        if (coordinator.Failure is { } why && why != _failure)
            observations.Record(new RunFailed(run, why));
        _failure = coordinator.Failure;
    }

    /// <summary>Records what these stored events mean.</summary>
    public void Stored(IEnumerable<RunEvent> events)
    {
        foreach (var e in events)
        {
            if (Of(e) is { } what)
                observations.Record(what);
            if (e is RunEvent.VersionEvaluated scored)
            {
                foreach (var source in scored.Sources ?? [])
                    observations.Record(new ScoreOfSource(run, scored.Score.Version, source.Source, source.Nats, source.Targets));
                foreach (var language in scored.Languages ?? [])
                    observations.Record(new ScoreOfLanguage(run, scored.Score.Version, language.Source, language.Nats, language.Targets));
            }
        }
    }

    public void Step(NodeReport.StepTaken step) =>
        observations.Record(new StepLoss(run, step.Node, step.Round, step.Replica, step.Step, step.LossNats, step.LearningRate));

    /// <summary>Records that work failed on its node, and is given out once more.</summary>
    public void GivenAgain(InFlightWork work, string why) =>
        observations.Record(new WorkGivenAgain(run, work.Node, work.Work.Kind, work.Work.Number, work.Work.Index, why));

    /// <summary>Records the work that a given-up node loses.</summary>
    /// <param name="before">The view of the cluster before the loss.</param>
    public void Lost(NodeId node, ClusterView before)
    {
        foreach (var work in before.InFlight.Keys.Where(work => work.Node == node))
            GivenAgain(work, "the node is given up");
    }

    private Observation? Of(RunEvent e) => e switch
    {
        RunEvent.RoundCommitted c => new RoundCommitted(run, c.Round, c.TokensSeen),
        RunEvent.VersionEvaluated { Score: var score } => new Score(run, score.Version, score.LossNats, score.BitsPerByte),
        RunEvent.NodeQuarantined q => new NodeQuarantined(run, q.Node, q.Why),
        _ => null,
    };
}
