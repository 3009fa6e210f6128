using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Vectors;
using static Elastic.Messages.Nodes.NodeCommand;

namespace Elastic.Coordination;

/// <summary>Work for one node.</summary>
public readonly record struct Assignment(WorkKey Key, NodeId Node, NodeCommand Command);

// Who does what next. The whole answer is computed from the run and the fleet each time one of them changes, and what
// is in hand already is left out: a lost node or a new one needs no path of its own.
public static class Dispatch
{
    /// <summary>Chunks that are averaged as one piece of work. Fixed, so that a piece keeps its name whoever does it.</summary>
    public const int ChunksTogether = 2;

    private const int MostChunksInAMessage = Part.MostDigests / 2;

    /// <summary>The work that can start now and is in nobody's hand, and the fleet that has it in hand.</summary>
    public static (Fleet Fleet, IReadOnlyList<Assignment> Work) Next(RunState run, Fleet fleet, RunPlan plan, Pace pace)
    {
        var work = new List<Assignment>();
        if (fleet.Nodes.IsEmpty || !fleet.Surveyed)
            return (fleet, work);
        foreach (var (key, node, command) in Replication.Due(run, fleet))
            Give(key, node, command);
        if (fleet.Stopping)
            return (fleet, work);

        if (run.Version is not { } version)
        {
            Once(new WorkKey(WorkKind.Initialize, 0), fleet.Workers, new Initialize(run.Id));
            return (fleet, work);
        }

        // These two go first, so that a node scores and stores a version before its devices leave for the next round.
        if (!run.IsScored(plan))
            Once(new WorkKey(WorkKind.Evaluate, run.Round), fleet.Workers, new Evaluate(run.Id, run.Round, version));
        if (!run.IsDurable(plan))
            Once(new WorkKey(WorkKind.Checkpoint, run.Round), Keepers(fleet), new TakeCheckpoint(
                run.Id, run.Round, version, run.Fingerprint, [.. run.InnerStates], run.TokensSeen, run.Ledger));

        switch (run.Phase(plan))
        {
            case RunPhase.Computing when run.Round < plan.Rounds:
                GiveReplicas();
                break;

            case RunPhase.Averaging when Computations.Wanted(run, fleet, plan, pace).Any(w => w.Needed):
                GiveReplicas();                                          // audits: nothing is averaged before they agree
                break;

            case RunPhase.Averaging:
                Digest[] contributions = [.. run.Finished.Values.Select(r => r.Contribution)];
                foreach (var chunks in Enumerable.Range(0, plan.Chunks).Chunk(ChunksTogether).Where(g => !g.All(run.Averaged.ContainsKey)))
                    Once(new WorkKey(WorkKind.Average, run.Round, chunks[0]), fleet.Workers,
                        new AverageChunks(run.Id, run.Round, chunks, version, contributions));
                break;

            case RunPhase.Assembling:
                var parts = Part.Cut([.. run.Averaged.Values], MostChunksInAMessage).ToList();
                foreach (var node in fleet.Staying.Where(n => !fleet.Assembled.Contains(n)).ToList())
                    if (!fleet.InHand.ContainsKey(new Holding(new WorkKey(WorkKind.Assemble, run.Round), node)))
                        foreach (var (chunks, part) in parts)
                            Give(new WorkKey(WorkKind.Assemble, run.Round), node, new Assemble(run.Id, run.Round, chunks, part));
                break;
        }

        return (fleet, work);

        void GiveReplicas()
        {
            foreach (var (replica, node) in Computations.Place(run, fleet, Computations.Wanted(run, fleet, plan, pace)))
                Give(new WorkKey(WorkKind.Replica, run.Round, replica), node, new RunReplica(
                    run.Id, run.Round, replica, version, run.InnerStates.IsEmpty ? null : run.InnerStates[replica],
                    run.BallotOf(replica).Votes.IsEmpty ? run.HandedOver.GetValueOrDefault(replica) : null));
        }

        void Once(WorkKey key, IEnumerable<NodeId> among, NodeCommand command)
        {
            if (!fleet.IsInHand(key) && fleet.LeastBusy(key.Kind, among) is { } node)
                Give(key, node, command);
        }

        void Give(WorkKey key, NodeId node, NodeCommand command)
        {
            fleet = fleet.Give(key, node, pace.Now);
            work.Add(new Assignment(key, node, command));
        }
    }

    /// <summary>
    /// The commit that is due: enough nodes hold the next version and every inner state that belongs to it, and the version that
    /// the round started from is scored and durable, so that nothing of it is needed any more. Null while something is lacking.
    /// </summary>
    public static RunCommand.CommitRound? Commit(RunState run, Fleet fleet, RunPlan plan)
    {
        if (!fleet.Surveyed || run.Phase(plan) != RunPhase.Assembling || !run.IsScored(plan) || !run.IsDurable(plan) || fleet.Assembled.IsEmpty)
            return null;
        var staying = fleet.Staying.ToHashSet();
        var holders = fleet.Assembled.Count(staying.Contains);
        var copies = run.Finished.Values.Min(r => fleet.HoldersOf(r.InnerState).Count(staying.Contains));
        if (Math.Min(holders, copies) < fleet.Copies)
            return null;
        var next = run.NextVersion(plan);
        return new RunCommand.CommitRound(run.Id, run.Round, next.Digest, next[VectorSet.Parameters].Fingerprint, Math.Min(holders, copies), staying.Count);
    }

    /// <summary>The work that a command answers, and who did it; null where it answers none.</summary>
    public static Holding? AnsweredBy(RunCommand command) => command switch
    {
        RunCommand.FinishInitialization c => new Holding(new WorkKey(WorkKind.Initialize, 0), c.Node),
        RunCommand.FinishReplica { Result: var r } c => new Holding(new WorkKey(WorkKind.Replica, r.Round, r.Replica), c.Node),
        RunCommand.HandOverReplica { HandOver: var h } c => new Holding(new WorkKey(WorkKind.Replica, h.Round, h.Replica), c.Node),
        RunCommand.FinishChunks { Chunks: [var first, ..] } c => new Holding(new WorkKey(WorkKind.Average, c.Round, first.Chunk), c.Node),
        RunCommand.FinishEvaluation c => new Holding(new WorkKey(WorkKind.Evaluate, c.Score.Version), c.Node),
        RunCommand.FinishCheckpoint c => new Holding(new WorkKey(WorkKind.Checkpoint, c.Checkpoint.Version), c.Node),
        _ => null,
    };

    /// <summary>True when nobody waits for this work any more.</summary>
    public static bool IsDone(RunState run, RunPlan plan, Holding holding) => holding.Work switch
    {
        { Kind: WorkKind.Initialize } => run.Version is not null,
        { Kind: WorkKind.Evaluate } w => w.Number != run.Round || run.Score?.Version == w.Number,
        { Kind: WorkKind.Checkpoint } w => w.Number != run.Round || run.Checkpoints.Any(c => c.Version == w.Number),
        var w when w.Number != run.Round => true,
        { Kind: WorkKind.Replica } w => Computations.IsDone(run, plan, w.Index, holding.Node),
        { Kind: WorkKind.Average } w => Enumerable.Range(w.Index, Math.Min(ChunksTogether, plan.Chunks - w.Index)).All(run.Averaged.ContainsKey),
        _ => false,
    };

    // Who stays is the first choice for what is meant to last.
    private static IEnumerable<NodeId> Keepers(Fleet fleet)
    {
        var seeds = fleet.Staying.Where(n => fleet.Nodes[n].Seed).ToList();
        return seeds.Count > 0 ? seeds : fleet.Staying;
    }
}
