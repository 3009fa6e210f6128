using System.Collections.Concurrent;
using System.Diagnostics;
using Akka.Actor;
using Elastic.Actors.Hosting;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Hosting;

/// <summary>No actor that must run stops without a word: the process joins the cluster anew, or says why it must end.</summary>
public sealed class EssentialActorSpecs : TemporaryFolder
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly ConcurrentQueue<string> _said = [];

    [Theory]
    [InlineData("/user/runs/singleton", "the actor that supervises the runs")]
    [InlineData("/user/runs", "the supervisors' singleton manager")]
    [InlineData("/user/link", "the link between node and cluster")]
    [InlineData("/system/sharding/shard-reader", "the region of the shard readers")]
    public async Task A_seed_that_loses_an_actor_it_needs_says_so_and_joins_anew_and_then_supervises_again(string path, string what)
    {
        await using var seed = await StartAsync();
        var before = seed.System;
        await UntilAsync(() => SupervisesAsync(seed));
        seed.System.ActorSelection(path).Tell(Kill.Instance);
        await UntilAsync(() => Task.FromResult(_said.Any(s => s.StartsWith(what, StringComparison.Ordinal))));
        await UntilAsync(async () => seed.System != before && await SupervisesAsync(seed));
        Assert.False(seed.Refused.IsCompleted);
    }

    // As of pbm run watch.
    [Fact]
    public async Task Who_watches_a_run_goes_on_seeing_it_when_the_process_has_joined_anew()
    {
        using var late = new CancellationTokenSource(Deadline);
        await using var seed = await StartAsync(NodeDuty.Seed());
        var before = seed.System;
        await UntilAsync(() => SupervisesAsync(seed));
        var start = RunSamples.Begin;
        Assert.IsType<RunReply.Accepted>(await seed.AskAsync<RunReply>(start));
        var (seen, again) = (0, 0);
        await foreach (var view in seed.WatchAsync(start.Run, late.Token))
        {
            if (seen++ == 0)
                before.ActorSelection("/user/runs/singleton").Tell(Kill.Instance);
            if (seed.System != before && ++again == 2)
                break;
        }

        Assert.Equal(2, again);
    }

    // As of elastic train, which nobody would supervise.
    [Fact]
    public async Task Who_watches_a_run_of_a_process_alone_is_told_that_it_has_lost_its_supervisor()
    {
        using var late = new CancellationTokenSource(Deadline);
        await using var seed = await StartAsync();
        await UntilAsync(() => SupervisesAsync(seed));
        var start = RunSamples.Begin;
        Assert.IsType<RunReply.Accepted>(await seed.AskAsync<RunReply>(start));
        RunView? last = null;
        await foreach (var view in seed.WatchAsync(start.Run, late.Token))
        {
            if (last is null)
                seed.System.ActorSelection("/user/runs/singleton").Tell(Kill.Instance);
            last = view;
        }

        Assert.Equal("this process has lost the run's supervisor: give the same command again; nothing that was committed is lost",
            last!.Failure);
    }

    [Fact]
    public async Task A_watch_ends_when_its_process_leaves()
    {
        using var late = new CancellationTokenSource(Deadline);
        var seed = await StartAsync();
        await UntilAsync(() => SupervisesAsync(seed));
        var watch = Task.Run(async () =>
        {
            await foreach (var _ in seed.WatchAsync(new RunName("none"), late.Token))
                Assert.Fail("there is no such run");
        });
        await seed.DisposeAsync();
        await watch.WaitAsync(Deadline);
    }

    [Fact]
    public async Task A_process_whose_node_agent_has_stopped_is_told_to_end()
    {
        await using var seed = await StartAsync();
        seed.Agent.Tell(Kill.Instance);
        Assert.StartsWith("the node agent has stopped: start this process again", await seed.Refused.WaitAsync(Deadline));
    }

    [Fact]
    public async Task A_seed_that_leaves_in_order_reports_no_actor_as_stopped()
    {
        await (await StartAsync()).DisposeAsync();
        Assert.DoesNotContain(_said, s => s.Contains("has stopped", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_singleton_that_cannot_be_made_is_reported_and_one_that_fails_later_is_only_restarted()
    {
        using var system = ActorSystem.Create("parents");
        var stopped = new BlockingCollection<string>();
        Action<string> report = stopped.Add;
        var watch = system.ActorOf(Props.Create(() => new EssentialActors(report)));
        var parent = system.ActorOf(Props.Create(() => new Parent()).WithSupervisorStrategy(EssentialActors.Reporting(watch, "it")));
        parent.Tell("fail later");
        Assert.Equal("alive", await parent.Ask<string>("ask", Deadline));
        Assert.Empty(stopped);
        parent.Tell("fail at once");
        Assert.True(stopped.TryTake(out var what, Deadline));
        Assert.Equal("it (at once)", what);
    }

    private Task<ElasticNode> StartAsync(NodeDuty? duty = null) => ElasticNode.StartAsync(
        NodeSettings.Defaults with { Devices = "none", DataDir = Folder }, duty ?? NodeDuty.Train, _said.Enqueue,
        CancellationToken.None);

    private static async Task<bool> SupervisesAsync(ElasticNode seed) =>
        (await seed.AskAsync<RunsAnswer.Nodes>(new RunsQuery.Nodes(), TimeSpan.FromSeconds(2))).Views.Length == 1;

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        var began = Stopwatch.GetTimestamp();
        while (!await Holds())
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < Deadline, "within the deadline");
            await Task.Delay(50);
        }

        // While the process joins again, nobody answers.
        async Task<bool> Holds()
        {
            try
            {
                return await condition();
            }
            catch (ElasticException)
            {
                return false;
            }
        }
    }

    private sealed class Parent : ReceiveActor
    {
        public Parent()
        {
            var child = Context.ActorOf(Props.Create(() => new Child(false)));
            Receive<string>(text => text == "fail at once", _ => Context.ActorOf(Props.Create(() => new Child(true))));
            Receive<string>(child.Forward);
        }
    }

    private sealed class Child : ReceiveActor
    {
        public Child(bool atOnce)
        {
            if (atOnce)
                throw new InvalidOperationException("at once");
            Receive<string>(text => text == "fail later", _ => throw new InvalidOperationException("later"));
            Receive<string>(_ => Sender.Tell("alive"));
        }
    }
}
