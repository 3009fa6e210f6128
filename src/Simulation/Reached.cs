using Elastic.Coordination;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Simulation;

/// <summary>
/// Counts how often simulated runs came to each situation that is rare. A situation that no run comes to is one that the simulation says
/// nothing about.
/// </summary>
public sealed class Reached
{
    private static readonly (string Name, Func<Taken, int> Count)[] Situations =
    [
        ("a dispute was settled", s => s.Stored<RunEvent.ReplicaSettled>().Count()),
        ("a node came into quarantine", s => s.Stored<RunEvent.NodeQuarantined>().Count()),
        ("a node was outvoted over a sum", s => s.Stored<RunEvent.NodeQuarantined>().Count(e => IsAbout(e, AverageWork.Kind))),
        ("a node was outvoted over version 0", s => s.Stored<RunEvent.NodeQuarantined>().Count(e => IsAbout(e, InitializeWork.Kind))),
        ("a node was outvoted over a score", s => s.Stored<RunEvent.NodeQuarantined>().Count(e => IsAbout(e, EvaluateWork.Kind))),
        ("a node in quarantine served a source", s => s.Orders().Any(o => s.Before.Quarantined.Keys.Any(n =>
            o.Sources.Contains(VirtualNode.EndpointOf(n)))) ? 1 : 0),
        ("a run rolled back", s => s.Stored<RunEvent.RolledBack>().Count()),
        ("results were lost", s => s.Stored<RunEvent.WorkLost>().Count(e => e.Replicas.Length > 0)),
        ("a hand-over was stored", s => s.Stored<RunEvent.ReplicaHandedOver>().Count()),
        ("a hand-over was not taken", s => s.Input is RunInput.Answered { Result.Outcome: HandedOver }
            && !s.Stored<RunEvent.ReplicaHandedOver>().Any() ? 1 : 0),
        ("a checkpoint was taken while the run took no steps", s => s.Before.IsPaused
            ? s.Stored<RunEvent.CheckpointTaken>().Count() : 0),
        ("a result follows from a hand-over", s => s.Stored<RunEvent.ReplicaComputed>().Count(e => e.ResumedFrom is not null)),
        ("a result that follows from a hand-over was contested", s => s.Stored<RunEvent.ReplicaContested>()
            .Count(e => s.Before.QuorumOf(e.Other.Replica).Votes.Any(v => v.ResumedFrom is not null))),
        ("an answer started from another version", s =>
            s.Input is RunInput.Answered { Result: var r } && r.From != s.Before.Version ? 1 : 0),
        ("an answer was dropped", s => s.Outputs.OfType<RunOutput.Dropped>().Count()),
        ("a node lost its last device", s => s.Input is RunInput.Answered { Result.Outcome: WorkFailed { Why: var why } }
            && why.Contains("no other device", StringComparison.Ordinal) ? 1 : 0),
        ("bytes went by way of a seed", s => s.View.Relays ? s.Orders().Count(o => o.Content is Copy) : 0),
        ("a node that makes no progress was put to rest", s => s.Sent<NodeCommand.Exclude>()
            .Count(e => e.Why.Contains("makes no progress", StringComparison.Ordinal))),
        ("a slow replica got a second runner", s => s.Orders().Count(o => o.Content is Compute c
            && s.Before.QuorumOf(c.Replica).Votes.IsEmpty && s.View.RunnersOf(o.Key).Count() > 1)),
        ("a message came in parts", s => s.Sent<object>().Count(m => PartOf(m) is { Of: > 1 })),
        ("the fence refused a commit", s => s.Input is RunInput.Fenced { Passed: false } ? 1 : 0),
        ("a commit was not due any more when the fence had passed it", s => s.Input is RunInput.Fenced { Passed: true }
            && !s.Stored<RunEvent.RoundCommitted>().Any() ? 1 : 0),
        ("a database in an older state was noticed", s => s.Outputs.OfType<RunOutput.Notice>()
            .Count(n => n.Text.Contains("the database is an older copy", StringComparison.Ordinal))),
        ("nodes were surveyed again", s => s.Sent<NodeCommand.Survey>().Count(c => c.Thorough)),
        ("a round began with a window of the corpus that it had waited for", s => s.Stored<RunEvent.WindowAdded>().Any()
            && s.Orders().Any(o => o.Content is Compute) ? 1 : 0),
        ("a leaving node was released", s => s.Sent<NodeCommand.Release>().Count(r => r.Drains % 2 == 0)),
        ("a draining node was released", s => s.Sent<NodeCommand.Release>().Count(r => r.Drains % 2 == 1)),
    ];

    // Of nodes: what their coordinators decide about devices.
    private static readonly (string Name, Func<NodeInput, IReadOnlyList<NodeOutput>, bool> Is)[] SituationsOfNodes =
    [
        ("a replica moved to other devices between two steps", (input, _) => input is NodeInput.Moved),
        ("a replica whose devices had all gone was handed over", (input, outputs) =>
            input is NodeInput.HasDevices && outputs.Any(o => o is NodeOutput.Stop)),
        ("a device hung, and its work began anew on others", (input, outputs) =>
            input is NodeInput.DeviceLost && outputs.Any(o => o is NodeOutput.Say { Text: var said }
                && said.Contains("begins anew on the others", StringComparison.Ordinal))),
        ("a device hung, and its replica repeated the step on others", (_, outputs) => outputs.Any(o => o is NodeOutput.RepeatStep)),
        ("a device hung in a replica that was to move", (input, outputs) =>
            input is NodeInput.DeviceLost { RepeatsStep: true } && outputs.Any(o => o is NodeOutput.Move)),
        ("a device was lost in a pass of its stage's second piece", (input, _) => input is NodeInput.DeviceLost { Why: var why }
            && why.Contains(", piece 1 of ", StringComparison.Ordinal)),
    ];

    // Of replicas that are split over devices of a node: what the product makes of the devices that are left, or have come.
    private static readonly (string Name, Func<SplitChange, bool> Is)[] SituationsOfSplits =
    [
        ("a stage died or hung, and the replica went on in fewer stages", c => c.HasLost && c.Now.Stages < c.Before.Stages),
        ("a stage of several pieces died or hung, and the replica went on without", c =>
            c.HasLost && c.Before.Chunks > 1 && c.Now.Chunks == 1),
        ("a rank died or hung, and fewer devices shared the layers", c => c.HasLost && c.Now.Tensor < c.Before.Tensor),
        ("a device died or hung, and the others had the same split", c => c.HasLost && c.Now == c.Before && c.Now.Devices > 1),
        ("a person took devices away, and fewer shared the network", c => !c.HasLost && c.Now.Devices < c.Before.Devices),
        ("devices came, and more shared the network", c => c.Now.Devices > c.Before.Devices),
    ];

    // Of replicas that several nodes compute together.
    private static readonly (string Name, StageSituation Situation)[] SituationsOfStages =
    [
        ("a stage's node was lost in the middle of a step", StageSituation.Lost),
        ("two stages of a replica were lost", StageSituation.TwoLost),
        ("a replica of several stages was handed over", StageSituation.HandedOver),
        ("a replica was handed over for the node of another stage", StageSituation.HandedOverForAnother),
        ("stages went on from a hand-over", StageSituation.Resumed),
    ];

    private readonly int[] _counts =
        new int[Situations.Length + SituationsOfNodes.Length + SituationsOfSplits.Length + SituationsOfStages.Length];

    /// <summary>Each situation, and how often it was reached.</summary>
    public IEnumerable<(string Situation, int Times)> Counts =>
        Situations.Select(s => s.Name).Concat(SituationsOfNodes.Select(s => s.Name)).Concat(SituationsOfSplits.Select(s => s.Name))
            .Concat(SituationsOfStages.Select(s => s.Name)).Zip(_counts);

    /// <summary>Adds what another run has reached.</summary>
    public void Add(Reached other)
    {
        ArgumentNullException.ThrowIfNull(other);
        for (var i = 0; i < _counts.Length; i++)
            _counts[i] += other._counts[i];
    }

    /// <summary>Notes one input of a supervisor, and what followed from it.</summary>
    internal void Note(Taken step)
    {
        if (step.Outputs.Count == 0 && step.Input is not (RunInput.Answered or RunInput.Fenced))
            return;
        for (var i = 0; i < Situations.Length; i++)
            _counts[i] += Situations[i].Count(step);
    }

    /// <summary>Notes one input of a node, and what followed from it.</summary>
    internal void Note(NodeInput input, IReadOnlyList<NodeOutput> outputs)
    {
        if (input is not (NodeInput.Moved or NodeInput.HasDevices or NodeInput.DeviceLost))
            return;
        for (var i = 0; i < SituationsOfNodes.Length; i++)
            _counts[Situations.Length + i] += SituationsOfNodes[i].Is(input, outputs) ? 1 : 0;
    }

    /// <summary>Notes that a replica takes a step with another split than the step before, or with other devices.</summary>
    internal void Note(SplitChange change)
    {
        for (var i = 0; i < SituationsOfSplits.Length; i++)
            _counts[Situations.Length + SituationsOfNodes.Length + i] += SituationsOfSplits[i].Is(change) ? 1 : 0;
    }

    /// <summary>Notes that stages of a replica on several nodes came to this.</summary>
    internal void Note(StageSituation situation)
    {
        for (var i = 0; i < SituationsOfStages.Length; i++)
            _counts[^(SituationsOfStages.Length - i)] += SituationsOfStages[i].Situation == situation ? 1 : 0;
    }

    private static Part? PartOf(object message) => message switch
    {
        WorkOrder m => m.Part,
        NodeCommand.OpenRun m => m.Part,
        NodeCommand.Survey m => m.Part,
        NodeCommand.Retain m => m.Part,
        _ => null,
    };

    private static bool IsAbout(RunEvent.NodeQuarantined e, WorkKind kind) =>
        e.Why.Contains($" computed the {kind.Name} of ", StringComparison.Ordinal);

    /// <summary>An input of a supervisor, and what followed from it.</summary>
    internal sealed record Taken(RunInput Input, IReadOnlyList<RunOutput> Outputs, RunState Before, ClusterView View)
    {
        public IEnumerable<T> Stored<T>() where T : RunEvent => Outputs.OfType<RunOutput.Store>().SelectMany(s => s.Events).OfType<T>();

        public IEnumerable<T> Sent<T>() => Outputs.OfType<RunOutput.Send>().Select(s => s.Message).OfType<T>();

        public IEnumerable<WorkOrder> Orders() => Sent<WorkOrder>();
    }
}
