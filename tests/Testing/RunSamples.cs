using System.Globalization;
using System.Text.Json;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Messages.Work;
using Elastic.Simulation;

namespace Elastic.Testing;

/// <summary>A run of two replicas, two chunks and four rounds, and the facts that happen to it.</summary>
public static class RunSamples
{
    public static readonly RunId Id = VirtualRun.Id;
    public static readonly RunPlan Plan = PlanOf(replicas: 2, rounds: 4, chunks: 2);

    /// <summary>Elements of the tiny model.</summary>
    public const long Elements = 131_072;

    public static readonly NodeId A = new("a"), B = new("b"), C = new("c");

    public static readonly RunRequest.Start Begin = VirtualRun.Begin();

    public static readonly RunState Started = Fold(
        RunState.Empty(Id),
        new RunEvent.RunStarted(Id, Begin.Run, Begin.Settings, Elements, Begin.Corpus, 1000, 100, Begin.Arithmetic, Begin.Origin),
        new RunEvent.CorpusPublished(Id, D("manifest")));
    public static readonly RunState Computing = Fold(Started, new RunEvent.RunInitialized(Id, D("version 0"), D("fingerprint 0")));
    public static readonly RunState Averaging = WithResults(Computing);
    public static readonly RunState Assembling = WithChunks(Averaging);

    /// <summary>A model's size: so many chunks.</summary>
    public static long ElementsOf(int chunks) => VirtualRun.ElementsOf(chunks);

    /// <summary>The digest of the version that the round ends in.</summary>
    public static Digest VersionAfter(int round) =>
        VectorSet.Version(Plan.Elements, [.. Enumerable.Range(0, Plan.Chunks).Select(c => Chunk(round, c))], null).Digest;

    /// <summary>The digest of the version that contains so many rounds.</summary>
    public static Digest Version(int rounds) => rounds == 0 ? D("version 0") : VersionAfter(rounds - 1);

    /// <summary>A vector set by the name that it has in these samples.</summary>
    public static Digest Set(string name) =>
        name.StartsWith("version ", StringComparison.Ordinal)
            ? Version(int.Parse(name.AsSpan("version ".Length), CultureInfo.InvariantCulture))
            : D(name);

    /// <inheritdoc cref="VirtualRun.PlanOf"/>
    public static RunPlan PlanOf(int replicas, int rounds, int chunks, int missing = 0) =>
        VirtualRun.PlanOf(replicas, rounds, chunks, missing);

    /// <summary>A node's answer to an order of the version that a round starts from.</summary>
    public static WorkResult Answer(NodeId node, WorkKey key, WorkOutcome outcome) =>
        new(Id.Job, node, new OrderId(1, 1), key, key == InitializeWork.Key ? null : Version(key.Number), outcome);

    public static WorkResult Made(NodeId node, Digest version, Digest fingerprint) =>
        Answer(node, InitializeWork.Key, new Initialized(version, fingerprint));

    public static WorkResult Finish(NodeId node, ReplicaResult result) =>
        Answer(node, ComputeWork.KeyOf(result.Round, result.Replica), new Computed(result));

    public static WorkResult Stopped(NodeId node, ReplicaHandOver handOver) =>
        Answer(node, ComputeWork.KeyOf(handOver.Round, handOver.Replica), new HandedOver(handOver));

    public static WorkResult Scored(NodeId node, VersionScore score) =>
        Answer(node, EvaluateWork.KeyOf(score.Version), new Evaluated(score));

    public static WorkResult Stored(NodeId node, Checkpoint checkpoint) =>
        Answer(node, TakeCheckpointWork.KeyOf(checkpoint.Version), new CheckpointWritten(checkpoint));

    public static WorkResult Sums(NodeId node, int round, params int[] chunks) =>
        Sums(node, round, Inputs(round), [.. chunks.Select(c => Chunk(round, c))]);

    public static WorkResult Sums(NodeId node, int round, Digest inputs, AveragedChunk[] chunks) =>
        Answer(node, AverageWork.KeyOf(round, chunks[0].Chunk), new Averaged(round, inputs, chunks));

    /// <summary>What is decided about a request, an answer or a command of the coordinator's own.</summary>
    public static Decision Decide(RunState run, object what, RunPlan? plan) => what switch
    {
        RunRequest request => RunRequests.Decide(run, plan, request),
        WorkResult result => Run.Decide(run, plan!, result),
        CoordinatorCommand command => Run.Decide(run, plan!, command),
        _ => throw new ArgumentException($"nothing decides about {what}", nameof(what)),
    };

    /// <summary>What the round's chunks are averaged of.</summary>
    public static Digest Inputs(int round) =>
        AveragedChunk.Inputs(Version(round), Enumerable.Range(0, Plan.ReplicasAt(0)).Select(r => Result(round, r).Contribution));

    /// <summary>Stands for some bytes.</summary>
    public static Digest D(string text) => VirtualRun.D(text);

    public static string Text(Func<TrainingSettings, TrainingSettings> change) => SettingsText.Write(change(TinySettings.Of("a", 2)));

    public static ReplicaResult Result(int round, int replica, string bytes = "") =>
        new(
            round, replica, D($"contribution {round} {replica}{bytes}"), D($"inner {round} {replica}"),
            Plan.TokensOf(round, 0), 2.5 + replica, D($"samples {round} {replica}"));

    public static ReplicaHandOver HandOver(int round, int replica, int step) =>
        new(round, replica, step, D($"hand-over {round} {replica} {step}"), 3.0 * step, D($"samples {round} {replica} {step}"));

    public static AveragedChunk Chunk(int round, int chunk, string bytes = "") => new(chunk, D($"chunk {round} {chunk}{bytes}"), null);

    public static Checkpoint Checkpoint(int version) => new(
        version, Version(version), D($"fingerprint {version}"),
        [.. Enumerable.Range(0, Plan.ReplicasAt(0)).Select(r => D($"inner {version - 1} {r}"))],
        Plan.TokensBefore(version), D($"chain {version}"), $"round-{version}.json");

    /// <summary>The checkpoint that a node takes of the run's newest version.</summary>
    public static Checkpoint CheckpointOf(RunState run) => new(
        run.Round, run.Version!.Value, run.Fingerprint!.Value, [.. run.InnerStates], run.TokensSeen, run.ChainHead,
        $"round-{run.Round}.json");

    public static CoordinatorCommand.CommitRound Commit(int round, int holders = 2, int nodes = 2) =>
        new(round, VersionAfter(round), D($"fingerprint {round + 1}"), holders, nodes);

    public static RunState Fold(RunState run, params RunEvent[] events) => events.Aggregate(run, Run.Apply);

    /// <summary>The run with every replica of its round in.</summary>
    public static RunState WithResults(RunState run) => Fold(run, [.. Results(run.Round)]);

    /// <summary>The run with every chunk of its round averaged.</summary>
    public static RunState WithChunks(RunState run) => Fold(run, Chunks(run.Round));

    /// <summary>The run at the start of round <paramref name="round"/>, with the checkpoints and scores that its plan asks for.</summary>
    public static RunState At(int round) => Fold(RunState.Empty(Id), [.. Journal(round)]);

    /// <inheritdoc cref="At"/>
    public static List<RunEvent> Journal(int round)
    {
        var (run, journal) = (RunState.Empty(Id), new List<RunEvent>());
        Store(
            new RunEvent.RunStarted(Id, Begin.Run, Begin.Settings, Elements, Begin.Corpus, 1000, 100, Begin.Arithmetic, Begin.Origin),
            new RunEvent.CorpusPublished(Id, D("manifest")));
        Store(new RunEvent.RunInitialized(Id, D("version 0"), D("fingerprint 0")));
        Handle(Scored(A, new VersionScore(0, 5, 8)));
        while (run.Round < round)
        {
            Store([.. Results(run.Round)]);
            Store(Chunks(run.Round));
            Handle(Commit(run.Round));
            if (Plan.Checkpoints(run.Round))
                Handle(Stored(A, CheckpointOf(run)));
            if (Plan.Evaluates(run.Round))
                Handle(Scored(A, new VersionScore(run.Round, 5 - run.Round, 8 - run.Round)));
        }

        return journal;

        void Handle(object what) => Store([.. Decide(run, what, Plan).Events]);

        void Store(params RunEvent[] events)
        {
            journal.AddRange(events);
            run = Fold(run, events);
        }
    }

    /// <summary>All results of a round, those of the even replicas from node a, the others from b.</summary>
    public static IEnumerable<RunEvent> Results(int round) =>
        Enumerable.Range(0, Plan.ReplicasAt(0)).Select(r => new RunEvent.ReplicaComputed(Id, Result(round, r), r % 2 == 0 ? A : B));

    /// <summary>All chunks of a round.</summary>
    public static RunEvent Chunks(int round) =>
        new RunEvent.ChunksAveraged(Id, round, [.. Enumerable.Range(0, Plan.Chunks).Select(c => Chunk(round, c))]);

    /// <summary>Decides, which must be accepted, and applies what is stored.</summary>
    public static RunState Carry(RunState run, object what)
    {
        var decision = Decide(run, what, Plan);
        Assert.Null(decision.Refusal);
        return Fold(run, [.. decision.Events]);
    }

    /// <summary>Everything in the state, for comparisons: records compare their collections by reference.</summary>
    public static string Deep(object? state) => JsonSerializer.Serialize(state);

    public static ClusterView FleetOf(params (string Node, int Devices)[] nodes) => nodes.Aggregate(
        ClusterView.Empty with { Surveyed = true },
        (fleet, n) => fleet.Enlist(new NodeId(n.Node), Enumerable.Range(0, n.Devices).Select(i => new DeviceId($"cpu:{i}"))));

    /// <summary>Nodes that have assembled the next version.</summary>
    public static ClusterView WithAssembled(this ClusterView fleet, params NodeId[] holders) =>
        fleet with { Assembled = fleet.Assembled.Union(holders) };

    /// <summary>Nodes that hold all that the run needs.</summary>
    public static ClusterView Holding(this ClusterView fleet, RunState run, params NodeId[] nodes) =>
        nodes.Aggregate(fleet, (f, node) => f.Hold(node, run.Current()));
}
