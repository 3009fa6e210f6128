using Akka.Actor;
using Akka.Event;
using Elastic.Actors.Runs;
using Elastic.Messages.Runs;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Runs;

/// <summary>What people are told of a run whose supervisor has ended.</summary>
[Collection(DatabaseCollection.Name)]
public sealed class SupervisorEndSpecs(Databases databases) : SeedOfRuns(databases)
{
    // The fence's table is away, as a database may be, when the next supervisor begins its term.
    [Fact]
    public async Task A_supervisor_that_fails_by_a_bug_names_the_bug_and_one_that_cannot_reach_the_database_says_that()
    {
        var runs = Begin();
        var run = Assert.IsType<RunReply.Accepted>(await StartAsync(runs, Name)).RunId;
        await Database.CallAsync(
            Deadline, (connection, cancel) => connection.ExecuteAsync("ALTER TABLE elastic_fence RENAME TO away", cancel), default);
        using var late = new CancellationTokenSource(Deadline);
        using Inbox watcher = Inbox.Create(Actors), warnings = Inbox.Create(Actors);
        Actors.EventStream.Subscribe(warnings.Receiver, typeof(Warning));
        var supervisor = await Actors.ActorSelection($"/user/runs/run-{run}").ResolveOne(Deadline);
        watcher.Send(supervisor, new RunWatch.Watch(Name));
        watcher.Send(supervisor, new Status.Failure(new InvalidOperationException("a bug")));
        RunView view;
        do
            view = Assert.IsType<RunView>(await watcher.ReceiveAsync(Deadline));
        while (view.Notice?.StartsWith("the supervisor failed", StringComparison.Ordinal) != true);
        Assert.Equal(
            ("the supervisor failed (InvalidOperationException: a bug): see log.txt; trying again, and nothing that was committed is lost",
                null), (view.Notice, view.Failure));

        var warning = "";
        while (!warning.StartsWith($"run {run}: the database cannot be reached (SQLite Error 1: 'no such table", StringComparison.Ordinal))
            warning = $"{Assert.IsType<Warning>(await warnings.ReceiveAsync(Deadline)).Message}";
        // Between two of them the run is there, too.
        while ((view = await LookAsync(runs, late.Token)).WaitsFor?.StartsWith(
            "its next supervisor, which is made in some seconds: the database cannot be reached", StringComparison.Ordinal) != true)
        {
            await Task.Delay(20, late.Token);
        }

        Assert.Null(view.Failure);
        Assert.Equal([Name], (await runs.Ask<RunsAnswer.Names>(new RunsQuery.Names(), Deadline)).Runs);
        await EndAsync();
        Assert.Empty(await FailuresAsync());
    }

    // As in a process that trains alone: the run may fail between the answer to its start and the first question of who watches it.
    [Fact]
    public async Task Who_begins_to_watch_a_run_whose_supervisor_has_failed_already_is_told_why()
    {
        var runs = Begin(goesOn: false);
        var run = Assert.IsType<RunReply.Accepted>(await StartAsync(runs, Name)).RunId;
        var supervisor = await Actors.ActorSelection($"/user/runs/run-{run}").ResolveOne(Deadline);
        supervisor.Tell(new Status.Failure(new InvalidOperationException("a bug")));
        Assert.True(await supervisor.WatchAsync().WaitAsync(Deadline));
        var view = await runs.Ask<RunView>(new RunWatch.Watch(Name), Deadline);
        Assert.StartsWith("the supervisor failed (InvalidOperationException: a bug): see log.txt, then give the same", view.Failure!,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_start_that_was_answered_is_not_refused_when_the_journal_becomes_unreadable_later()
    {
        var runs = Begin();
        using var asker = Inbox.Create(Actors);
        asker.Send(runs, Start(Name));
        var run = Assert.IsType<RunReply.Accepted>(await asker.ReceiveAsync(Deadline)).RunId;
        runs.Tell(new RunUnreadable(run, "the disk is gone", null));
        asker.Send(runs, new RunsQuery.Names());
        Assert.IsType<RunsAnswer.Names>(await asker.ReceiveAsync(Deadline));
    }
}
