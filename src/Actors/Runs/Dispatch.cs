using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using static Elastic.Messages.Nodes.NodeCommand;

namespace Elastic.Actors.Runs;

/// <summary>Work for one node.</summary>
public readonly record struct Assignment(WorkKey Key, NodeId Node, NodeCommand Command);

// Who does what next. The whole answer is computed from the run and the fleet each time one of them changes, and what
// is in hand already is left out: a lost node or a new one needs no path of its own.
public static class Dispatch
{
    /// <summary>The work that can start now and is in nobody's hand, and the fleet that has it in hand.</summary>
    public static (Fleet Fleet, IReadOnlyList<Assignment> Work) Next(RunState run, Fleet fleet, RunPlan plan)
    {
        var work = new List<Assignment>();
        if (fleet.Stopping || fleet.Devices.IsEmpty)
            return (fleet, work);

        if (!fleet.Surveyed)
        {
            Give(new WorkKey(WorkKind.Survey, 0), new NodeCommand.Survey(run.Id, [.. run.References()]));
            return (fleet, work);
        }

        if (run.Version is not { } version)
        {
            Give(new WorkKey(WorkKind.Initialize, 0), new Initialize(run.Id));
            return (fleet, work);
        }

        // These two go first, so that the node scores and stores a version before its devices leave for the next round.
        if (!run.IsScored(plan))
            Give(new WorkKey(WorkKind.Evaluate, run.Round), new Evaluate(run.Id, run.Round, version));
        if (!run.IsDurable(plan))
            Give(new WorkKey(WorkKind.Checkpoint, run.Round), new TakeCheckpoint(
                run.Id, run.Round, version, run.Fingerprint, [.. run.InnerStates], run.TokensSeen, run.Ledger));

        switch (run.Phase(plan))
        {
            case RunPhase.Computing when run.Round < plan.Rounds:
                foreach (var replica in Enumerable.Range(0, plan.Replicas).Where(r => !run.Finished.ContainsKey(r)))
                    Give(new WorkKey(WorkKind.Replica, run.Round, replica), new RunReplica(
                        run.Id, run.Round, replica, version,
                        run.InnerStates.IsEmpty ? null : run.InnerStates[replica],
                        run.HandedOver.GetValueOrDefault(replica)), replica);
                break;

            case RunPhase.Averaging:
                foreach (var chunk in Enumerable.Range(0, plan.Chunks).Where(c => !run.Averaged.ContainsKey(c)))
                    Give(new WorkKey(WorkKind.Average, run.Round, chunk), new AverageChunks(
                        run.Id, run.Round, [chunk], version, [.. run.Finished.Values.Select(r => r.Contribution)]));
                break;

            case RunPhase.Assembling:
                foreach (var node in fleet.Devices.Keys.Where(n => !fleet.Holders.ContainsKey(n)))
                    GiveTo(node, new WorkKey(WorkKind.Assemble, run.Round, Node: node),
                        new Assemble(run.Id, run.Round, [.. run.Averaged.Values]));
                break;
        }

        return (fleet, work);

        void Give(WorkKey key, NodeCommand command, int replica = -1)
        {
            if (!fleet.InHand.ContainsKey(key) && fleet.Pick(key.Kind, replica) is { } node)
                GiveTo(node, key, command);
            if (replica >= 0 && fleet.InHand.TryGetValue(key, out var home))
                fleet = fleet with { Homes = fleet.Homes.SetItem(replica, home) };
        }

        void GiveTo(NodeId node, WorkKey key, NodeCommand command)
        {
            if (fleet.InHand.ContainsKey(key))
                return;
            fleet = fleet with { InHand = fleet.InHand.Add(key, node) };
            work.Add(new Assignment(key, node, command));
        }
    }

    /// <summary>
    /// The commit that is due: enough nodes hold the same next version, and the version that the round started from is
    /// scored and durable, so that nothing of it is needed any more. Null while something is lacking, or not surveyed.
    /// </summary>
    public static RunCommand.CommitRound? Commit(RunState run, Fleet fleet, RunPlan plan)
    {
        if (!fleet.Surveyed || run.Phase(plan) != RunPhase.Assembling || !run.IsScored(plan) || !run.IsDurable(plan) || fleet.Holders.IsEmpty)
            return null;
        var (held, holders) = fleet.Holders.Values.GroupBy(h => h).Select(g => (g.Key, g.Count())).MaxBy(g => g.Item2);
        return holders >= Math.Min(2, fleet.Devices.Count)
            ? new RunCommand.CommitRound(run.Id, run.Round, held.Version, held.Fingerprint, holders, fleet.Devices.Count)
            : null;
    }

    /// <summary>The work that a command answers; null where it answers none.</summary>
    public static WorkKey? AnsweredBy(RunCommand command) => command switch
    {
        RunCommand.FinishSurvey => new WorkKey(WorkKind.Survey, 0),
        RunCommand.FinishInitialization => new WorkKey(WorkKind.Initialize, 0),
        RunCommand.FinishReplica { Result: var r } => new WorkKey(WorkKind.Replica, r.Round, r.Replica),
        RunCommand.HandOverReplica { HandOver: var h } => new WorkKey(WorkKind.Replica, h.Round, h.Replica),
        RunCommand.FinishChunks { Chunks: [var first, ..] } c => new WorkKey(WorkKind.Average, c.Round, first.Chunk),
        RunCommand.FinishEvaluation c => new WorkKey(WorkKind.Evaluate, c.Score.Version),
        RunCommand.FinishCheckpoint c => new WorkKey(WorkKind.Checkpoint, c.Checkpoint.Version),
        _ => null,
    };

    /// <summary>The key under which a piece of work was given to a node.</summary>
    public static WorkKey? KeyOf(NodeCommand command, NodeId node) => command switch
    {
        NodeCommand.Survey => new WorkKey(WorkKind.Survey, 0),
        Initialize => new WorkKey(WorkKind.Initialize, 0),
        Evaluate c => new WorkKey(WorkKind.Evaluate, c.Version),
        TakeCheckpoint c => new WorkKey(WorkKind.Checkpoint, c.Version),
        RunReplica c => new WorkKey(WorkKind.Replica, c.Round, c.Replica),
        AverageChunks c => new WorkKey(WorkKind.Average, c.Round, c.Chunks[0]),
        Assemble c => new WorkKey(WorkKind.Assemble, c.Round, Node: node),
        _ => null,
    };
}
