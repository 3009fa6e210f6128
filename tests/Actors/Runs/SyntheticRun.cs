using Elastic.Actors.Control;
using Elastic.Actors.Tests.Nodes;
using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Messages.Work;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Runs;

/// <summary>The journal of a long run that nobody computed: its parameters are made up, but what it read is what the corpus has.</summary>
internal sealed class SyntheticRun
{
    private readonly RunSchedule _schedule;
    private readonly IReadOnlyList<TokenShard> _shards;

    /// <param name="corpus">A corpus that is in <paramref name="paths"/>.</param>
    public SyntheticRun(DataPaths paths, Digest corpus, string name, int rounds)
    {
        Name = new RunName(name);
        Id = new RunId($"{name}-00000000");
        Corpus = corpus;
        Settings = SettingsText.Write(TinyRun.Settings(name, replicas: 2, rounds: rounds, innerSteps: 1));
        _schedule = new RunSchedule(Settings, BuiltCorpus.Open(paths.Corpus(corpus)));
        _shards = [.. _schedule.Corpus.TrainShards.Select(s => TokenShard.Open(_schedule.Corpus.ShardPath(s)))];
        Events = Make();
        foreach (var shard in _shards)
            shard.Dispose();
    }

    public RunName Name { get; }

    public RunId Id { get; }

    /// <summary>Of the whole run but the commit of its last round.</summary>
    public IReadOnlyList<RunEvent> Events { get; }

    /// <summary>What the last round is to be committed as.</summary>
    public VectorSet LastVersion { get; private set; } = null!;

    public AveragedChunk[] LastChunks { get; private set; } = [];

    private Digest Corpus { get; }

    private string Settings { get; }

    private List<RunEvent> Make()
    {
        var (run, journal, plan) = (RunState.Empty(Id), new List<RunEvent>(), _schedule.Plan);
        Store(new RunEvent.RunStarted(
            Id, Name, Settings, plan.Elements, Corpus, _schedule.Train.Blocks, _schedule.HeldOut?.Blocks ?? 0,
            "cpu 2", Origins.Now("a test")));
        Store(new RunEvent.RunInitialized(Id, D("version 0"), D("fingerprint 0")));
        while (true)
        {
            for (var replica = 0; replica < plan.ReplicasAt(run.Round); replica++)
                Store(new RunEvent.ReplicaComputed(Id, Result(run.Round, replica), new NodeId("a")));
            LastChunks = [.. Enumerable.Range(0, plan.Chunks).Select(c => new AveragedChunk(c, D($"chunk {run.Round} {c}"), null))];
            Store(new RunEvent.ChunksAveraged(Id, run.Round, LastChunks));
            LastVersion = run.NextVersion(plan);
            if (run.Round == plan.Rounds - 1)
                return journal;
            Carry(Run.Decide(
                run, plan, new CoordinatorCommand.CommitRound(run.Round, LastVersion.Digest, D($"fingerprint {run.Round + 1}"), 2, 2)));
            if (plan.Evaluates(run.Round))
                Answer(EvaluateWork.KeyOf(run.Round), new Evaluated(new VersionScore(run.Round, 5, 8)));
            if (plan.Checkpoints(run.Round))
                Answer(TakeCheckpointWork.KeyOf(run.Round), new CheckpointWritten(new Checkpoint(
                    run.Round, run.Version!.Value, run.Fingerprint!.Value, [.. run.InnerStates], run.TokensSeen,
                    run.ChainHead, $"round-{run.Round:D6}.json")));
        }

        void Answer(WorkKey key, WorkOutcome outcome) =>
            Carry(Run.Decide(run, plan, new WorkResult(Id.Job, new NodeId("a"), new OrderId(1, 1), key, run.Version, outcome)));

        void Carry(Decision decision)
        {
            Assert.Null(decision.Refusal);
            Store([.. decision.Events]);
        }

        void Store(params RunEvent[] events)
        {
            journal.AddRange(events);
            run = events.Aggregate(run, Run.Apply);
        }
    }

    private ReplicaResult Result(int round, int replica)
    {
        var row = _schedule.Plan.Context + 1;
        var tokens = new int[_schedule.Plan.At(round).Sequences * row];
        var blocks = _schedule.BlocksOf(_schedule.Plan.At(round), round, replica, 0);
        for (var i = 0; i < blocks.Length; i++)
        {
            var (shard, block) = _schedule.Train.Locate(blocks[i]);
            _schedule.Train.Cut.Read(_shards[shard], block, tokens.AsSpan(i * row, row));
        }

        return new ReplicaResult(
            round, replica, D($"contribution {round} {replica}"), D($"inner {round} {replica}"), _schedule.Plan.TokensOf(round, replica),
            2.5 + replica, HashChain.AppendStep(HashChain.Empty, SampleDigests.Of(blocks, tokens)));
    }

    private static Digest D(string text) => Digest.Of(System.Text.Encoding.UTF8.GetBytes(text));
}
