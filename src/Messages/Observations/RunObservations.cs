using Elastic.Messages.Runs;
using static Elastic.Messages.Observations.Measure;

namespace Elastic.Messages.Observations;

/// <summary>Work that was in flight on a node is given out again.</summary>
/// <param name="Node">The node that had it.</param>
/// <param name="Number">The round, or what else the kind of work counts.</param>
/// <param name="Index">The replica, or what else tells pieces of one number apart.</param>
/// <param name="Why">The work failed there, or the node is lost.</param>
[ObservedAs("work-given-again")]
public sealed record WorkGivenAgain(RunId RunId, NodeId Node, string Kind, int Number, int Index, string Why) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures => [Count("elastic_work_given_again_total", Tag("run", RunId), Tag("kind", Kind))];
}

/// <summary>A replica's result of the round that is computed, or its hand-over, does not count any more: it is computed again.</summary>
/// <param name="Why">The nodes that had it are lost, or its bytes are damaged or not trusted.</param>
[ObservedAs("result-lost")]
public sealed record ResultLost(RunId RunId, int Round, int Replica, string Why) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures => [Count("elastic_results_lost_total", Tag("run", RunId))];
}

/// <summary>How long a run was in one phase of a round.</summary>
[ObservedAs("phase")]
public sealed record PhaseDuration(RunId RunId, int Round, RunPhase Phase, double Seconds) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures =>
        [new(MeasureKind.Distribution, "elastic_phase_seconds", Seconds, Tag("run", RunId), Tag("phase", Phase))];
}

/// <summary>A replica takes inner steps.</summary>
/// <param name="Step">Steps of this round taken so far. Nodes report the newest step now and then, so that numbers are skipped.</param>
[ObservedAs("step")]
public sealed record StepLoss(
    RunId RunId, NodeId Node, int Round, int Replica, int Step, double LossNats, double LearningRate) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures =>
    [
        new(MeasureKind.Newest, "elastic_train_loss_nats", LossNats, Tag("run", RunId)),
        new(MeasureKind.Newest, "elastic_learning_rate", LearningRate, Tag("run", RunId)),
    ];
}

/// <summary>
/// Steps of a replica overflowed in fp16 and were skipped, so that its loss scale fell. The sum over a round's observations of one node is
/// what that node has skipped in it; the same steps are skipped wherever the round is computed.
/// </summary>
/// <param name="Steps">Since the node last said so.</param>
/// <param name="LossScale">What the loss is multiplied by since.</param>
[ObservedAs("steps-skipped")]
public sealed record StepsSkipped(
    RunId RunId, NodeId Node, int Round, int Replica, int Steps, double LossScale) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures =>
    [
        new(MeasureKind.Sum, "elastic_steps_skipped_total", Steps, Tag("run", RunId)),
        new(MeasureKind.Newest, "elastic_loss_scale", LossScale, Tag("run", RunId)),
    ];
}

/// <summary>A device of a node died or hangs in the middle of work.</summary>
/// <param name="RepeatsStep">The replica's other devices repeat the step; otherwise the work begins anew where a device is left.</param>
/// <param name="Why">In which part of the step, and what happened.</param>
[ObservedAs("device-lost")]
public sealed record DeviceLost(
    RunId RunId, NodeId Node, string Device, string Kind, int Number, int Index, bool RepeatsStep, string Why) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures => [Count("elastic_devices_lost_total", Tag("run", RunId))];
}

/// <summary>A replica's model is split over fewer devices of its node than <c>node.split</c> asks for there.</summary>
/// <param name="How">How it is split, and why.</param>
[ObservedAs("split-smaller")]
public sealed record SplitSmaller(RunId RunId, NodeId Node, int Round, int Replica, string How) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures => [Count("elastic_splits_smaller_total", Tag("run", RunId))];
}

/// <summary>A version's loss on the held-out text.</summary>
[ObservedAs("score")]
public sealed record Score(RunId RunId, int Version, double LossNats, double BitsPerByte) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures => [new(MeasureKind.Newest, "elastic_validation_loss_nats", LossNats, Tag("run", RunId))];
}

/// <summary>A version's loss on the held-out text of one source.</summary>
[ObservedAs("source-score")]
public sealed record ScoreOfSource(RunId RunId, int Version, string Source, double Nats, long Targets) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures =>
    [
        new(MeasureKind.Newest, "elastic_validation_loss_by_source_nats", Nats / Targets, Tag("run", RunId), Tag("source", Source)),
    ];
}

/// <summary>A version's loss on the held-out text of one language.</summary>
[ObservedAs("language-score")]
public sealed record ScoreOfLanguage(RunId RunId, int Version, string Language, double Nats, long Targets) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures =>
    [
        new(MeasureKind.Newest, "elastic_validation_loss_by_language_nats", Nats / Targets, Tag("run", RunId), Tag("language", Language)),
    ];
}

/// <summary>A round is committed.</summary>
/// <param name="TokensSeen">Over all replicas and rounds.</param>
[ObservedAs("round-committed")]
public sealed record RoundCommitted(RunId RunId, int Round, long TokensSeen) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures =>
    [
        Count("elastic_rounds_committed_total", Tag("run", RunId)),
        new(MeasureKind.Total, "elastic_tokens_total", TokensSeen, Tag("run", RunId)),
    ];
}

/// <summary>A node's results were wrong: it gets no more work of this run.</summary>
[ObservedAs("node-quarantined")]
public sealed record NodeQuarantined(RunId RunId, NodeId Node, string Why) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures => [Count("elastic_nodes_quarantined_total", Tag("run", RunId))];
}

/// <summary>The run cannot go on.</summary>
[ObservedAs("run-failed")]
public sealed record RunFailed(RunId RunId, string Why) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures => [Count("elastic_runs_failed_total", Tag("run", RunId))];
}

/// <summary>A round's goodput: of the time that nodes spent on its inner steps, the share that is in the committed version.</summary>
/// <param name="CountedSeconds">Seconds from the order to the answer, of the computations whose results or hand-overs count.</param>
/// <param name="SpentSeconds">
/// Seconds from the order to the answer, of all computations that ended in the round: also lost ones, second ones of slow replicas, and
/// audits.
/// </param>
[ObservedAs("goodput")]
public sealed record Goodput(RunId RunId, int Round, double CountedSeconds, double SpentSeconds) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures => SpentSeconds <= 0 ? []
        : [new(MeasureKind.Newest, "elastic_goodput_ratio", CountedSeconds / SpentSeconds, Tag("run", RunId))];
}

/// <summary>A replica whose work was lost goes on elsewhere.</summary>
/// <param name="Seconds">From the loss to the first step that is reported after it.</param>
[ObservedAs("work-recovered")]
public sealed record WorkRecovered(RunId RunId, NodeId Node, int Round, int Replica, double Seconds) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures =>
        [new(MeasureKind.Distribution, "elastic_recovery_seconds", Seconds, Tag("run", RunId))];
}

/// <summary>How many devices a run could use at this moment; 0 while it rests.</summary>
[ObservedAs("devices-wanted")]
public sealed record DevicesWanted(RunId RunId, int Devices) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures => [new(MeasureKind.Newest, "elastic_wanted_devices", Devices, Tag("run", RunId))];
}

/// <summary>A run waits, and for what.</summary>
[ObservedAs("run-waits")]
public sealed record RunWaits(RunId RunId, string For) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures => [Count("elastic_waits_total", Tag("run", RunId))];
}

/// <summary>All rounds are committed, and the last version is scored and durable.</summary>
[ObservedAs("run-finished")]
public sealed record RunFinished(RunId RunId, int Rounds, string Fingerprint) : RunObservation(RunId)
{
    public override IEnumerable<Measure> Measures => [Count("elastic_runs_finished_total", Tag("run", RunId))];
}
