using Elastic.Actors.Nodes;
using Elastic.Actors.Work;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Wire;
using Elastic.Messages.Work;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Work;

// What it takes to add a kind of work: the first half of this file would be Coordination/Work/Hash.cs, the second
// Actors/Work/HashExecutor.cs. Besides, each of the two lists (WorkKinds.All, WorkExecutors.All) gets a word.

/// <summary>Compute the digest of a text.</summary>
public sealed record Hash(int Round, string Text) : WorkContent;

/// <summary>The digest.</summary>
public sealed record Hashed(Digest Of) : WorkOutcome;

/// <inheritdoc cref="Hash"/>
public sealed class HashWork : WorkKind
{
    public static readonly HashWork Kind = new();

    public override string Name => "hash";

    public override void GiveOut(Scheduling scheduling)
    {
        if (!IsDone(scheduling.Run))
            scheduling.Once(new WorkKey(Name, scheduling.Run.Round), scheduling.View.Workers, new Hash(scheduling.Run.Round, "a text"));
    }

    public override bool IsDone(RunState run, RunPlan plan, WorkKey key, NodeId node) => key.Number != run.Round || IsDone(run);

    public override Decision Decide(RunState run, RunPlan plan, WorkResult result) => result.Outcome switch
    {
        Hashed when IsDone(run) => Decision.AlreadyDone,
        Hashed hashed => Decision.Store(new RunEvent.CorpusPublished(run.Id, hashed.Of)),
        var other => Foreign(other),
    };

    public override IEnumerable<Digest> Needs(WorkContent content) => [];

    public override IEnumerable<Digest> Holds(WorkOutcome outcome) => outcome is Hashed hashed ? [hashed.Of] : [];

    private static bool IsDone(RunState run) => run.Manifest == AddedWorkTests.Answer;
}

/// <summary>Computes the digest of a text.</summary>
internal sealed class HashExecutor : WorkExecutor<NodeRun>
{
    public override string Kind => HashWork.Kind.Name;

    public override WorkLane Lane => WorkLane.Store;

    public override Task<WorkOutcome?> ExecuteAsync(NodeRun run, WorkContent content, DeviceContext? devices) =>
        Task.FromResult<WorkOutcome?>(new Hashed(Digest.Of(System.Text.Encoding.UTF8.GetBytes(((Hash)content).Text))));
}

public sealed class AddedWorkTests
{
    public static readonly Digest Answer = Digest.Of("a text"u8);

    private static readonly WireCodec Codec = new(typeof(WorkKind).Assembly, typeof(HashWork).Assembly);
    private static readonly ClusterView View = RunSamples.FleetOf(("a", 1), ("b", 0));

    [Fact]
    public async Task Work_of_an_added_kind_is_ordered_done_answered_and_decided_and_its_messages_travel()
    {
        var (run, plan) = (RunSamples.Computing, RunSamples.Plan);
        var given = Assert.Single(Ordered(run, View).Given);
        Assert.Equal((new WorkKey("hash", 0), RunSamples.A), (given.Key, given.Node));          // the other node has no device

        var order = Travelled(new WorkOrder
        {
            Job = run.Id.Job,
            Id = new OrderId(1, 7),
            Key = given.Key,
            From = run.Version,
            Sources = [],
            Part = Part.Whole,
            Content = given.Content,
        });
        Assert.Equal(given.Content, order.Content);
        var outcome = await new HashExecutor().ExecuteAsync(null!, order.Content, null);
        var result = Travelled(new WorkResult(order.Job, given.Node, order.Id, order.Key, order.From, outcome!));
        Assert.Equal(new Hashed(Answer), result.Outcome);

        var decision = HashWork.Kind.Decide(run, plan, result);
        var after = RunSamples.Fold(run, [.. decision.Events]);
        Assert.Equal(Answer, after.Manifest);
        Assert.Empty(Ordered(after, View).Given);
        Assert.True(HashWork.Kind.IsDone(after, plan, given.Key, given.Node));
        Assert.Equal(Decision.AlreadyDone, HashWork.Kind.Decide(after, plan, result));
    }

    [Fact]
    public void What_is_in_flight_is_not_given_again_and_where_nobody_can_do_it_there_is_a_reason()
    {
        var given = Ordered(RunSamples.Computing, View);
        Assert.Empty(Ordered(RunSamples.Computing, given.View).Given);
        Assert.Equal("no node can do the hash of round 0", Ordered(RunSamples.Computing, RunSamples.FleetOf(("b", 0))).Reason);
    }

    [Fact]
    public void The_outcome_of_another_kind_is_refused() => Assert.Equal(
        "Copied is no outcome of the work \"hash\"",
        HashWork.Kind.Decide(RunSamples.Computing, RunSamples.Plan, Result(new Copied(Answer))).Refusal);

    [Fact]
    public void A_kind_that_is_not_in_the_list_counts_for_nothing_and_its_messages_do_not_travel()
    {
        Assert.Equal(
            "there is no kind of work \"hash\"", Run.Decide(RunSamples.Computing, RunSamples.Plan, Result(new Hashed(Answer))).Refusal);
        var bytes = Codec.Write(Result(new Hashed(Answer)));
        Assert.ThrowsAny<Exception>(() => new WireCodec(typeof(WorkKind).Assembly).Read(bytes));
    }

    private static Scheduling Ordered(RunState run, ClusterView view)
    {
        var scheduling = new Scheduling(run, view, RunSamples.Plan, default, new FailureHistory(), new OutcomeAudits());
        HashWork.Kind.GiveOut(scheduling);
        return scheduling;
    }

    private static WorkResult Result(WorkOutcome outcome) => RunSamples.Answer(RunSamples.A, new WorkKey("hash", 0), outcome);

    private static T Travelled<T>(T message) where T : IWireMessage => (T)Codec.Read(Codec.Write(message));
}
