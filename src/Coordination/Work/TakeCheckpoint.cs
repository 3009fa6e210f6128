using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>Fetch what is missing of these vector sets, make them durable, then write the checkpoint's manifest.</summary>
/// <param name="InnerStates">One for each replica; none before the first round.</param>
/// <param name="Changes">The settings that have changed, see <see cref="Segment.Changes"/>, in the last round that it contains.</param>
public sealed record TakeCheckpoint(
    int Version, Digest Parameters, Digest Fingerprint, Digest[] InnerStates, long TokensSeen, Digest ChainHead, string Changes = "")
    : WorkContent;

/// <summary>The version and its inner states are durable; the manifest was written last.</summary>
public sealed record CheckpointWritten(Checkpoint Checkpoint) : WorkOutcome;

/// <inheritdoc cref="TakeCheckpoint"/>
public sealed class TakeCheckpointWork : WorkKind
{
    public static readonly TakeCheckpointWork Kind = new();

    public override string Name => "checkpoint";

    public override bool NeedsDevice => false;

    public override bool IsAskedFor(RunState run) =>
        run.CheckpointAsked == run.Round && run.Checkpoints.All(c => c.Version != run.Round);

    public static WorkKey KeyOf(int version) => new(Kind.Name, version);

    public override void GiveOut(Scheduling scheduling)
    {
        if (scheduling.Run is { Version: { } version } run && !run.IsDurable(scheduling.Plan))
            scheduling.Once(KeyOf(run.Round), Keepers(scheduling.View), new TakeCheckpoint(
                run.Round, version, run.Fingerprint!.Value, [.. run.InnerStates], run.TokensSeen, run.ChainHead,
                scheduling.Plan.At(Math.Max(0, run.Round - 1)).Changes));
    }

    public override bool IsDone(RunState run, RunPlan plan, WorkKey key, NodeId node) =>
        key.Number != run.Round || run.Checkpoints.Any(c => c.Version == key.Number);

    public override Decision Decide(RunState run, RunPlan plan, WorkResult result) => result.Outcome switch
    {
        CheckpointWritten { Checkpoint: var c } when c.Version < run.Round || run.Checkpoints.Any(stored => stored.Version == c.Version) =>
            Decision.AlreadyDone,                                    // an older one may have been dropped since, and its blobs with it
        CheckpointWritten { Checkpoint: var c } when c.Version > run.Round => Run.WrongRound(run, c.Version),
        // A roll-back goes on from what the journal says of a checkpoint, so it is no node's word that gets there.
        CheckpointWritten { Checkpoint: var c } when !run.IsOfNewest(c) => Decision.Refuse(
            $"it names other parameters, moments or counts than the run has after round {c.Version}: check the node's memory"),
        CheckpointWritten { Checkpoint: var c } =>
            Run.FinishIfDone(run, plan, [new RunEvent.CheckpointTaken(run.Id, c), .. Outdated(run, plan)]),
        var other => Foreign(other),
    };

    public override IEnumerable<Digest> Needs(WorkContent content) => content is TakeCheckpoint c ? [c.Parameters, .. c.InnerStates] : [];

    public override IEnumerable<Digest> Holds(WorkOutcome outcome) =>
        outcome is CheckpointWritten { Checkpoint: var c } ? [c.Parameters, .. c.InnerStates] : [];

    public override int? StoresFor(WorkKey key) => null;

    // With one more. The best one of before stays beside the newest as long as it is the best.
    private static IEnumerable<RunEvent> Outdated(RunState run, RunPlan plan)
    {
        var others = run.Checkpoints.Where(c => c.Version != run.BestKept(plan)).ToList();
        return others.Take(others.Count + 1 - plan.CheckpointsKept).Select(c => new RunEvent.CheckpointDropped(run.Id, c.Version));
    }

    // Prefers seeds: they are meant to stay.
    private static IEnumerable<NodeId> Keepers(ClusterView view)
    {
        var seeds = view.Staying.Where(n => view.Nodes[n].Seed).ToList();
        return seeds.Count > 0 ? seeds : view.Staying;
    }
}
