using System.Runtime.Serialization;
using Akka.Actor;
using Elastic.Actors.Serialization;
using Elastic.Coordination;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Wire;
using Elastic.Messages.Work;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Runs;

[Collection(DatabaseCollection.Name)]
public sealed class RunsActorSpecs(Databases databases) : SeedOfRuns(databases)
{
    [Fact]
    public async Task A_pause_of_a_run_that_is_not_there_is_answered_with_what_to_do()
    {
        var runs = Begin();
        var reply = await runs.Ask<RunReply>(new RunRequest.Stop(Name, By()), Deadline);
        Assert.Equal(new RunReply.Refused(Name, "there is no run tiny: start it first"), reply);
        Assert.Empty((await runs.Ask<RunsAnswer.Names>(new RunsQuery.Names(), Deadline)).Runs);
    }

    [Fact]
    public async Task Starts_of_a_new_name_at_once_give_one_run_and_each_is_answered()
    {
        var runs = Begin();
        var replies = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => StartAsync(runs, Name)));
        var run = Assert.Single(replies.Select(r => Assert.IsType<RunReply.Accepted>(r).RunId).Distinct());
        Assert.Equal((Name, run), (run.Name, Assert.Single(await new RunList(Database).ReadAsync(default)).Run));
        Assert.Single((await JournalReader.ReadAsync(Database, run, default)).OfType<RunEvent.RunStarted>());
        Assert.Equal([Name], (await runs.Ask<RunsAnswer.Names>(new RunsQuery.Names(), Deadline)).Runs);
    }

    [Fact]
    public async Task Of_starts_of_a_new_name_at_once_with_other_settings_one_is_started_and_each_other_one_is_refused()
    {
        var runs = Begin();
        var replies = await Task.WhenAll(Enumerable.Range(0, 5).Select(i => runs.Ask<RunReply>(
            Start(Name) with { Settings = RunSamples.Text(s => s with { Run = s.Run with { Seed = (ulong)i } }) }, Deadline)));
        var run = Assert.Single(replies.OfType<RunReply.Accepted>()).RunId;
        Assert.All(replies.OfType<RunReply.Refused>(), r => Assert.Contains("run.seed: ", r.Why, StringComparison.Ordinal));
        Assert.Equal(4, replies.OfType<RunReply.Refused>().Count());
        Assert.Single((await JournalReader.ReadAsync(Database, run, default)).OfType<RunEvent.RunStarted>());
    }

    [Fact]
    public async Task A_start_whose_settings_are_too_long_for_a_message_comes_in_parts_and_is_answered_once()
    {
        var runs = Begin();
        string[] sources = [.. Enumerable.Range(0, 3000).Select(i => $"/{new string('d', 80)}/{i}.txt")];
        var settings = RunSamples.Text(s => s with { Corpus = s.Corpus with { Sources = sources } });
        var parts = (Start(Name) with { Settings = settings }).Parts().ToList();
        Assert.InRange(parts.Count, 8, 12);
        var codec = new WireCodec(typeof(WorkKind).Assembly);
        Assert.All(parts, p => Assert.InRange(codec.Write(p).Length, 0, 64 << 10));

        parts.SkipLast(1).ToList().ForEach(runs.Tell);
        var reply = Assert.IsType<RunReply.Accepted>(await runs.Ask<RunReply>(parts[^1], Deadline));
        var events = await JournalReader.ReadAsync(Database, reply.RunId, default);
        Assert.Equal(settings, Assert.Single(events.OfType<RunEvent.RunStarted>()).Settings);
    }

    [Fact]
    public async Task A_message_of_a_run_that_cannot_be_sent_fails_the_run_for_everybody_to_see()
    {
        var runs = Begin();
        var run = Assert.IsType<RunReply.Accepted>(await StartAsync(runs, Name)).RunId;
        var works = Enumerable.Range(0, 20_000).Select(i => new WorkKey("compute", i, i)).ToArray();
        Assert.Throws<SerializationException>(() =>
            Actors.Serialization.FindSerializerForType(typeof(NodeCommand.DropWork)).ToBinary(new NodeCommand.DropWork(run, works)));
        var view = await LookUntilAsync(runs, "the run had failed", v => v.Failure is not null);
        Assert.Matches("^a DropWork cannot be sent: it has [0-9]+ bytes", view.Failure);
    }

    [Fact]
    public void Names_of_a_thousand_runs_come_in_pages_below_64_KiB()
    {
        var names = Enumerable.Range(0, 1234).Select(i => new RunName($"{new string('n', 60)}{i:0000}")).ToList();
        var codec = new WireCodec(typeof(WorkKind).Assembly);
        var (read, after) = (new List<RunName>(), (string?)null);
        do
        {
            var page = RunsAnswer.Names.Page(names.AsEnumerable().Reverse(), after);
            Assert.InRange(codec.Write(page).Length, 0, 64 << 10);
            read.AddRange(page.Runs);
            after = page.Next;
        }
        while (after is not null);
        Assert.Equal(names, read);
    }

    [Fact]
    public async Task A_name_whose_first_start_was_refused_is_no_run_and_may_be_started_rightly()
    {
        var runs = Begin();
        Assert.IsType<RunReply.Refused>(await runs.Ask<RunReply>(Start(Name) with { Blocks = 0 }, Deadline));
        Assert.Empty((await runs.Ask<RunsAnswer.Names>(new RunsQuery.Names(), Deadline)).Runs);
        Assert.Equal(new RunReply.Refused(Name, "there is no run tiny: start it first"),
            await runs.Ask<RunReply>(new RunRequest.Stop(Name, By()), Deadline));
        Assert.IsType<RunReply.Accepted>(await StartAsync(runs, Name));
        Assert.Equal([Name], (await runs.Ask<RunsAnswer.Names>(new RunsQuery.Names(), Deadline)).Runs);
    }

    [Fact]
    public async Task A_stopped_run_that_has_committed_no_round_gives_its_name_to_one_with_other_settings()
    {
        var runs = Begin();
        var first = Assert.IsType<RunReply.Accepted>(await StartAsync(runs, Name)).RunId;
        var other = Start(Name) with { Settings = RunSamples.Text(s => s with { Run = s.Run with { Seed = 43 } }) };
        Assert.EndsWith(
            "or stop it: until it has committed a round, its name can be used anew",
            Assert.IsType<RunReply.Refused>(await runs.Ask<RunReply>(other, Deadline)).Why, StringComparison.Ordinal);

        await runs.Ask<RunReply>(new RunRequest.Stop(Name, By()), Deadline);
        var second = Assert.IsType<RunReply.Accepted>(await runs.Ask<RunReply>(other, Deadline)).RunId;
        Assert.NotEqual(first, second);
        Assert.Equal(second, Assert.Single(await new RunList(Database).ReadAsync(default)).Run);
        Assert.Equal(second, (await runs.Ask<RunView>(new RunWatch.Look(Name), Deadline)).RunId);
        Assert.NotEmpty(await JournalReader.ReadAsync(Database, first, default));   // events are never deleted
    }

    [Fact]
    public async Task A_run_at_work_is_not_deleted_and_a_stopped_one_is_gone_after_a_failover_too()
    {
        var runs = Begin();
        await StartAsync(runs, Name);
        Assert.Equal(
            "run tiny is at work: stop it first, with pbm run stop -n tiny, and delete it then",
            Assert.IsType<RunReply.Refused>(await runs.Ask<RunReply>(new RunRequest.Delete(Name, By()), Deadline)).Why);
        await runs.Ask<RunReply>(new RunRequest.Stop(Name, By()), Deadline);
        using var watcher = Inbox.Create(Actors);
        watcher.Send(runs, new RunWatch.Watch(Name));
        var nodes = Inbox.Create(Actors);
        nodes.Send(runs, Report("127.0.0.1:1", "one"));
        var deleted = Assert.IsType<RunReply.Accepted>(await runs.Ask<RunReply>(new RunRequest.Delete(Name, By()), Deadline));
        await nodes.FindAsync<NodeCommand.DeleteRun>(Deadline, told => told.RunId == deleted.RunId);
        Assert.Empty((await runs.Ask<RunsAnswer.Names>(new RunsQuery.Names(), Deadline)).Runs);
        await watcher.FindAsync<RunView>(Deadline, view => view.Failure == "run tiny was deleted");
        await EndAsync();
        Assert.Empty(await FailuresAsync());
        runs = Begin();
        Assert.IsType<RunReply.Refused>(await runs.Ask<RunReply>(new RunRequest.Delete(Name, By()), Deadline));
        Assert.NotEqual(deleted.RunId, Assert.IsType<RunReply.Accepted>(await StartAsync(runs, Name)).RunId);
    }

    [Fact]
    public async Task Starts_of_two_names_at_once_give_two_runs()
    {
        var runs = Begin();
        var replies = await Task.WhenAll(StartAsync(runs, Name), StartAsync(runs, new RunName("tiny-2")));
        Assert.Equal(["tiny", "tiny-2"], replies.Select(r => Assert.IsType<RunReply.Accepted>(r).RunId.Name.Value));
        Assert.Equal(2, (await new RunList(Database).ReadAsync(default)).Count);
    }

    [Fact]
    public async Task A_name_stands_for_the_same_run_after_a_failover()
    {
        var before = Assert.IsType<RunReply.Accepted>(await StartAsync(Begin(), Name));
        await EndAsync();
        var runs = Begin();
        Assert.Equal(before, await StartAsync(runs, Name));
        Assert.IsType<RunReply.Accepted>(await runs.Ask<RunReply>(new RunRequest.Stop(Name, By()), Deadline));
        Assert.Single((await JournalReader.ReadAsync(Database, before.RunId, default)).OfType<RunEvent.RunPaused>());
    }

    // The other seed does not know yet that it does not supervise any more.
    [Fact]
    public async Task A_name_that_another_seed_has_entered_in_the_database_meanwhile_stays_one_run()
    {
        var runs = Begin();
        Assert.Empty((await runs.Ask<RunsAnswer.Names>(new RunsQuery.Names(), Deadline)).Runs);
        var other = await new RunList(Database).AddAsync(new RunId("tiny-3k9v2mq7"), Name.Value, default);
        Assert.Equal(other, Assert.IsType<RunReply.Accepted>(await StartAsync(runs, Name)).RunId);
        Assert.Equal(other, Assert.Single(await new RunList(Database).ReadAsync(default)).Run);
    }

    [Fact]
    public async Task A_request_that_is_repeated_under_its_id_is_carried_out_once()
    {
        var runs = Begin();
        var started = Assert.IsType<RunReply.Accepted>(await StartAsync(runs, Name));
        var pause = new RunRequest.Stop(Name, By());
        var resume = Start(Name);
        foreach (var request in new RunRequest[] { pause, resume, pause, resume })
            Assert.Equal(started, await runs.Ask<RunReply>(request, Deadline));
        var events = await JournalReader.ReadAsync(Database, started.RunId, default);
        Assert.Equal([pause.Origin], events.OfType<RunEvent.RunPaused>().Select(e => e.By));
        Assert.Equal([resume.Origin], events.OfType<RunEvent.RunResumed>().Select(e => e.By));
    }

    [Fact]
    public async Task A_paused_run_is_not_deleted_and_goes_on_when_it_is_resumed()
    {
        var runs = Begin();
        await StartAsync(runs, Name);
        Assert.IsType<RunReply.Accepted>(await runs.Ask<RunReply>(new RunRequest.Pause(Name, By()), Deadline));
        await LookUntilAsync(runs, "the run was paused", v => v.Phase == RunPhase.Paused);
        Assert.IsType<RunReply.Refused>(await runs.Ask<RunReply>(new RunRequest.Delete(Name, By()), Deadline));
        var checkpoint = await runs.Ask<RunReply>(new RunRequest.Checkpoint(Name, By()), Deadline);
        Assert.Equal(1, Assert.IsType<RunReply.Accepted>(checkpoint).Checkpoint);
        Assert.IsType<RunReply.Accepted>(await runs.Ask<RunReply>(new RunRequest.Resume(Name, By()), Deadline));
        Assert.Equal(RunPhase.Waiting, (await runs.Ask<RunView>(new RunWatch.Look(Name), Deadline)).Phase);
    }

    [Fact]
    public async Task A_drain_is_passed_to_the_node_and_answered_with_what_it_says()
    {
        var runs = Begin();
        using var link = Inbox.Create(Actors);
        link.Send(runs, Report("127.0.0.1:1", "one"));
        Assert.IsType<NodeNews.Welcome>(await link.ReceiveAsync(Deadline));
        var asked = runs.Ask<NodeReply>(new NodeRequest.Drain("127.0.0.1:1", Undo: false, By()), Deadline);
        var news = Assert.IsType<NodeNews.Drain>(await link.ReceiveAsync(Deadline));
        Assert.False(news.Undo);
        link.Send(runs, new NodeReport.DrainChanged(Report("", "").Node, news.Request, IsDraining: true));
        Assert.Equal(new NodeReply.Drains("127.0.0.1:1", IsDraining: true), await asked);
    }

    [Fact]
    public async Task A_node_that_is_not_let_in_is_told_why()
    {
        var runs = Begin();
        using var link = Inbox.Create(Actors);
        link.Send(runs, Report("127.0.0.2:1", "one"));
        Assert.Equal(
            new NodeNews.Wait("its control plane is 127.0.0.2:1, and its data plane 127.0.0.1:80: both are on one machine"),
            await link.ReceiveAsync(Deadline));
    }

    [Fact]
    public async Task A_second_process_with_the_id_of_a_node_that_is_there_waits_and_the_first_one_stays()
    {
        var runs = Begin();
        using Inbox first = Inbox.Create(Actors), second = Inbox.Create(Actors);
        Assert.IsType<NodeNews.Welcome>(await SayAsync(first, "127.0.0.1:1", "one"));
        Assert.Equal(new NodeNews.Wait("the node gpu7-8h2m4xyq is at 127.0.0.1:1"), await SayAsync(second, "127.0.0.1:2", "two"));
        Assert.IsType<NodeNews.Welcome>(await SayAsync(first, "127.0.0.1:1", "one"));

        // Who ends is lost at once, and its place is free.
        await first.Receiver.GracefulStop(Deadline);
        await new Wait(Deadline, TimeSpan.FromMilliseconds(20)).UntilAsync(
            "the second process was welcome", async () => await SayAsync(second, "127.0.0.1:2", "two") is NodeNews.Welcome);

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
        Actors.EventStream.Publish(new UnsendableMessage(new NodeCommand.StopRun(run), "it has 318000 bytes"));
        var view = await LookUntilAsync(runs, "the run had failed", v => v.Failure is not null);
        Assert.Equal("a StopRun cannot be sent: it has 318000 bytes; the run cannot go on without it", view.Failure);
        Assert.Null((await runs.Ask<RunView>(new RunWatch.Look(new RunName("tiny-2")), Deadline)).Failure);
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
}
