using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>Take the H inner steps of one replica, from <paramref name="Version"/>, or from where it was handed over.</summary>
/// <param name="InnerState">Vector set of the replica's moments; null in its first round.</param>
/// <param name="Segment">The stretch of the run that the round belongs to: its samples, steps and the length of the learning-rate schedule.
/// In the order, because the end of a run may change while nodes have it open.</param>
public sealed record Compute(
    int Round, int Replica, Digest Version, Digest? InnerState, ReplicaHandOver? HandOver, Segment Segment) : WorkContent
{
    /// <summary>
    /// The nodes that compute the replica together, one for each stage of the network, in order (<c>run.stages</c>). Empty where one node
    /// computes all of it. The first of them has this order and answers for the replica, the others have a <see cref="ComputeStage"/> of
    /// it.
    /// </summary>
    public StagePlace[] Stages { get; init; } = [];

    /// <summary>
    /// Drawn for each time that the replica is given to such nodes: what belongs to another attempt is none of theirs. Null where one node
    /// computes all of it.
    /// </summary>
    public string? Attempt { get; init; }
}

/// <summary>What the replica hands to the averaging after its H inner steps.</summary>
/// <param name="ResumedFrom">The hand-over that the node went on from; null where it took all steps of the round itself.</param>
/// <param name="Others">Nodes that computed it together with this one, a stage each.</param>
public sealed record Computed(ReplicaResult Result, Digest? ResumedFrom = null, int Others = 0) : WorkOutcome;

/// <summary>The place at which the replica stopped inside the round, at a step boundary, so that any node can go on with it.</summary>
/// <param name="ResumedFrom">The hand-over that the node had gone on from itself; null where it took all steps up to here.</param>
public sealed record HandedOver(ReplicaHandOver HandOver, Digest? ResumedFrom = null) : WorkOutcome;

/// <inheritdoc cref="Compute"/>
public sealed class ComputeWork : WorkKind
{
    public static readonly ComputeWork Kind = new();

    public override string Name => "compute";

    public override bool OccupiesDevices => true;

    public static WorkKey KeyOf(int round, int replica) => new(Kind.Name, round, replica);

    /// <summary>The replica that a key is about, of one of its stages, too; null for other work.</summary>
    public static int? ReplicaOf(WorkKey key) => key.Kind == Kind.Name ? key.Index
        : key.Kind == ComputeStageWork.Kind.Name ? ComputeStageWork.ReplicaOf(key) : null;

    /// <summary>The computation of a replica that this is, or that it is a stage of; null for other work.</summary>
    public static Compute? Of(WorkContent content) => content switch
    {
        Compute c => c,
        ComputeStage c => c.Replica,
        _ => null,
    };

    public override void GiveOut(Scheduling scheduling)
    {
        var (run, plan) = (scheduling.Run, scheduling.Plan);
        var phase = run.Phase(plan);
        // Audits and disputes hold the averaging back: nothing is summed before they agree.
        if (run.Version is not { } version || run.Round >= plan.Rounds || phase is not (RunPhase.Computing or RunPhase.Averaging))
            return;
        if (!run.HasData(plan))
            return;                                                    // CorpusWindows says what for
        var wanted = Computations.Wanted(run, scheduling.View, plan, scheduling.Stragglers);
        if (phase == RunPhase.Averaging && !wanted.Any(w => w.Needed))
            return;
        foreach (var (replica, nodes) in Computations.Place(run, scheduling.View, wanted, scheduling.FailuresAt, plan.Stages))
            scheduling.GiveIfFetchable(nodes, new Compute(
                run.Round, replica, version, run.InnerStateOf(replica),
                Computations.FromScratch(run, scheduling.View, plan, replica) ? null : run.HandedOver.GetValueOrDefault(replica),
                plan.At(run.Round)));
        if (wanted.Any(w => w.Needed) && !scheduling.View.Workers.Any())
            scheduling.Lack("no node has a device that may compute for this run");
        else if (run.Quorums.Values.Any(q => q.IsDisputed))
            scheduling.Lack("two results of one replica differ: a third computation, on a node that has not computed it yet, settles it");
        else if (wanted.Any(w => w.Needed && !run.QuorumOf(w.Replica).Votes.IsEmpty))
            scheduling.Lack("an audit waits for another node: those that may compute rest, leave or are at work");
        foreach (var w in wanted.Where(w => plan.Stages > 1 && w.Needed))
            if (Computations.CountFree(scheduling.View, w) is var free && free < plan.Stages)
                scheduling.Lack($"replica {w.Replica} needs {plan.Stages} nodes at once and {free} {(free == 1 ? "is" : "are")} free");
    }

    public override bool IsDone(RunState run, RunPlan plan, WorkKey key, NodeId node) =>
        key.Number != run.Round || run.Round >= plan.Rounds || Computations.IsDone(run, plan, key.Index, node);

    public override Decision Decide(RunState run, RunPlan plan, WorkResult result) => result.Outcome switch
    {
        Computed { Result: var r } when r.Round < run.Round => Decision.AlreadyDone,
        Computed { Result: var r } when r.Round > run.Round => Run.WrongRound(run, r.Round),
        Computed { Result: var r } when r.Round >= plan.Rounds =>
            Decision.Refuse($"all {plan.Rounds} rounds are committed: there is no round {r.Round}"),
        Computed { Result: var r } when NoSuchReplica(plan, r.Round, r.Replica) is { } refusal => refusal,
        Computed { Result: var r } when r.Tokens != plan.TokensOf(r.Round, r.Replica) =>
            Decision.Refuse($"replica {r.Replica} counts {r.Tokens} tokens where the round has {plan.TokensOf(r.Round, r.Replica)}"),
        Computed { Others: < 0 or >= RunSettings.MostStages } c =>
            Decision.Refuse($"replica {c.Result.Replica} cannot have been computed with {c.Others} other nodes"),
        Computed c => ResultQuorum.Decide(
            run, new Vote(result.Node, c.Result, c.ResumedFrom, c.Others), hasStages: plan.Stages > 1),

        HandedOver { HandOver: var h } when h.Round < run.Round || run.Finished.ContainsKey(h.Replica) => Decision.AlreadyDone,
        HandedOver { HandOver: var h } when h.Round > run.Round => Run.WrongRound(run, h.Round),
        HandedOver { HandOver: var h } when NoSuchReplica(plan, h.Round, h.Replica) is { } refusal => refusal,
        HandedOver { HandOver: var h } when h.Step < 0 || h.Step >= plan.At(h.Round).StepsOf(h.Replica) =>
            Decision.Refuse(
                $"replica {h.Replica} stopped after step {h.Step} where the round has {plan.At(h.Round).StepsOf(h.Replica)}"),
        HandedOver { HandOver: var h } when run.HandedOver.TryGetValue(h.Replica, out var stored) && stored.Step >= h.Step =>
            Decision.AlreadyDone,
        HandedOver { HandOver: var h, ResumedFrom: var from } when run.WhyNotFrom(h.Replica, from) is { } why => Decision.Refuse(why),
        HandedOver { HandOver: var h } => Decision.Store(new RunEvent.ReplicaHandedOver(run.Id, h)),
        var other => Foreign(other),
    };

    public override IEnumerable<Digest> Needs(WorkContent content) => content is not Compute c ? []
        : c.HandOver is { } handOver ? [handOver.State]
        : c.InnerState is { } state ? [c.Version, state] : [c.Version];

    public override IEnumerable<Digest> Holds(WorkOutcome outcome) => outcome switch
    {
        Computed { Result: var r } => [r.Contribution, r.InnerState],
        HandedOver { HandOver: var h } => [h.State],
        _ => [],
    };

    private static Decision? NoSuchReplica(RunPlan plan, int round, int replica) => replica < 0 || replica >= plan.ReplicasAt(round)
        ? Decision.Refuse($"there is no replica {replica} of {plan.ReplicasAt(round)}")
        : null;
}
