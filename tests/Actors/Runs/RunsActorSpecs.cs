using Akka.Actor;
using Elastic.Actors.Hosting;
using Elastic.Actors.Runs;
using Elastic.Actors.Serialization;
using Elastic.Coordination;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Storage;
using Elastic.Testing;
using Elastic.Transfer;

namespace Elastic.Actors.Tests.Runs;

[Collection(DatabaseCollection.Name)]
public sealed class RunsActorSpecs(Databases databases) : TemporaryFolder, IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);
    private static readonly RunName Name = new("tiny");

    private readonly List<IAsyncDisposable> _open = [];
    private int _requests;
    private DatabaseAddress _database = null!;
    private ActorSystem _system = null!;

    public async ValueTask InitializeAsync() => _database = await databases.NewAsync(DatabaseKind.Sqlite);

    public async ValueTask DisposeAsync()
    {
        foreach (var open in _open)
            await open.DisposeAsync();
        Dispose();
    }

    [Fact]
    public async Task A_pause_of_a_run_that_is_not_there_is_answered_with_what_to_do()
    {
        var runs = Begin();
        var reply = await runs.Ask<RunReply>(new RunRequest.Pause(Name, By()), Deadline);
        Assert.Equal(new RunReply.Refused(Name, "there is no run tiny: start it first"), reply);
        Assert.Empty((await runs.Ask<RunsAnswer.Names>(new RunsQuery.Names(), Deadline)).Runs);
    }

    [Fact]
    public async Task Starts_of_a_new_name_at_once_give_one_run_and_each_is_answered()
    {
        var runs = Begin();
        var replies = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => StartAsync(runs, Name)));
        var run = Assert.Single(replies.Select(r => Assert.IsType<RunReply.Accepted>(r).RunId).Distinct());
        Assert.Equal((Name, run), (run.Name, Assert.Single(await new RunList(_database).ReadAsync(default)).Run));
        Assert.Single((await JournalReader.ReadAsync(_database, run, default)).OfType<RunEvent.RunStarted>());
        Assert.Equal([Name], (await runs.Ask<RunsAnswer.Names>(new RunsQuery.Names(), Deadline)).Runs);
    }

    [Fact]
    public async Task Starts_of_two_names_at_once_give_two_runs()
    {
        var runs = Begin();
        var replies = await Task.WhenAll(StartAsync(runs, Name), StartAsync(runs, new RunName("tiny-2")));
        Assert.Equal(["tiny", "tiny-2"], replies.Select(r => Assert.IsType<RunReply.Accepted>(r).RunId.Name.Value));
        Assert.Equal(2, (await new RunList(_database).ReadAsync(default)).Count);
    }

    [Fact]
    public async Task A_name_stands_for_the_same_run_after_a_failover()
    {
        var before = Assert.IsType<RunReply.Accepted>(await StartAsync(Begin(), Name));
        await EndAsync();
        var runs = Begin();
        Assert.Equal(before, await StartAsync(runs, Name));
        Assert.IsType<RunReply.Accepted>(await runs.Ask<RunReply>(new RunRequest.Pause(Name, By()), Deadline));
        Assert.Single((await JournalReader.ReadAsync(_database, before.RunId, default)).OfType<RunEvent.RunPaused>());
    }

    [Fact]
    public async Task A_request_that_is_repeated_under_its_id_is_carried_out_once()
    {
        var runs = Begin();
        var started = Assert.IsType<RunReply.Accepted>(await StartAsync(runs, Name));
        var pause = new RunRequest.Pause(Name, By());
        var resume = Start(Name);
        foreach (var request in new RunRequest[] { pause, resume, pause, resume })
            Assert.Equal(started, await runs.Ask<RunReply>(request, Deadline));
        var events = await JournalReader.ReadAsync(_database, started.RunId, default);
        Assert.Equal([pause.Origin], events.OfType<RunEvent.RunPaused>().Select(e => e.By));
        Assert.Equal([resume.Origin], events.OfType<RunEvent.RunResumed>().Select(e => e.By));
    }

    [Fact]
    public async Task A_second_process_with_the_id_of_a_node_that_is_there_waits_and_the_first_one_stays()
    {
        var runs = Begin();
        using Inbox first = Inbox.Create(_system), second = Inbox.Create(_system);
        Assert.IsType<NodeNews.Welcome>(await SayAsync(first, "127.0.0.1:1", "one"));
        Assert.Equal(new NodeNews.Wait("the node gpu7-8h2m4xyq is at 127.0.0.1:1"), await SayAsync(second, "127.0.0.1:2", "two"));
        Assert.IsType<NodeNews.Welcome>(await SayAsync(first, "127.0.0.1:1", "one"));

        // Who ends is lost at once, and its place is free.
        await first.Receiver.GracefulStop(Deadline);
        while (await SayAsync(second, "127.0.0.1:2", "two") is not NodeNews.Welcome)
            await Task.Delay(20);

        async Task<object> SayAsync(Inbox link, string address, string incarnation)
        {
            link.Send(runs, Report(address, incarnation));
            return await link.ReceiveAsync(Deadline);
        }
    }

    [Fact]
    public async Task A_run_whose_order_cannot_be_sent_fails_with_the_order_and_its_size_and_another_run_does_not()
    {
        var runs = Begin();
        var run = Assert.IsType<RunReply.Accepted>(await StartAsync(runs, Name)).RunId;
        await StartAsync(runs, new RunName("tiny-2"));
        _system.EventStream.Publish(new UnsendableMessage(new NodeCommand.StopRun(run), "it has 318000 bytes"));
        RunView view;
        while ((view = await runs.Ask<RunView>(new RunWatch.Look(Name), Deadline)).Failure is null)
            await Task.Delay(20);
        Assert.Equal("a StopRun cannot be sent: it has 318000 bytes; the run cannot go on without it", view.Failure);
        Assert.Null((await runs.Ask<RunView>(new RunWatch.Look(new RunName("tiny-2")), Deadline)).Failure);
    }

    private Task<RunReply> StartAsync(IActorRef runs, RunName name) =>
        runs.Ask<RunReply>(Start(name), Deadline);

    private RunRequest.Start Start(RunName name) => RunSamples.Begin with { Run = name, Origin = By() };

    private Origin By() => new($"request-{Interlocked.Increment(ref _requests)}", "a test", DateTimeOffset.UnixEpoch);

    // As on a seed, without the cluster around it.
    private IActorRef Begin()
    {
        var observations = new Observations(new ObservationStore(_database));
        _system = ActorSystem.Create("runs", _database.JournalSettings().WithFallback(AkkaSettings.ForDevices(new DataPaths(Folder))));
        _open.AddRange([new Ended(_system), observations]);
        var supervisors = new SupervisorContext(
            new CoordinatorSettings(GoesOn: true, TimeSpan.FromMinutes(1)), new CommitFence(_database), observations);
        return _system.ActorOf(
            RunsActor.Props(
                new RunsContext(supervisors, new RunList(_database), "127.0.0.1:80", ElasticNode.Version, new LivenessConnections())),
            "runs");
    }

    private async Task EndAsync()
    {
        foreach (var open in _open)
            await open.DisposeAsync();
        _open.Clear();
    }

    private static NodeReport.Enlist Report(string address, string incarnation) => new(new NodeId("gpu7-8h2m4xyq"))
    {
        Devices = [],
        Incarnation = incarnation,
        Address = address,
        Endpoint = "127.0.0.1:80",
        Seed = false,
        Version = ElasticNode.Version,
        Arithmetic = "",
        Works = [],
        Leaving = false,
    };

    private sealed class Ended(ActorSystem system) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await system.Terminate();
    }
}
