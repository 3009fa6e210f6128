using Akka.Actor;
using Elastic.Messages.Runs;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Runs;

/// <summary>What people are told of a run whose supervisor is reading the journal.</summary>
[Collection(DatabaseCollection.Name)]
public sealed class SlowJournalSpecs(Databases databases) : SeedOfRuns(databases, DatabaseKind.Postgres)
{
    // The server answers, and lets nobody read the journal.
    [Fact]
    public async Task A_run_is_shown_while_its_supervisor_reads_the_journal_for_long_and_by_the_supervisor_thereafter()
    {
        const string Reads = "its next supervisor, which reads the journal: the supervisor failed";
        var runs = Begin();
        var run = Assert.IsType<RunReply.Accepted>(await StartAsync(runs, Name)).RunId;
        var supervisor = await Actors.ActorSelection($"/user/runs/run-{run}").ResolveOne(Deadline);
        await Database.CallAsync(
            Deadline,
            async (connection, cancel) =>
            {
                await connection.ExecuteAsync("BEGIN; LOCK TABLE journal IN ACCESS EXCLUSIVE MODE", cancel);
                supervisor.Tell(new Status.Failure(new InvalidOperationException("a bug")));
                await UntilAsync(waits => waits?.StartsWith(Reads, StringComparison.Ordinal) == true, cancel);
                await connection.ExecuteAsync("ROLLBACK", cancel);
                return true;
            },
            default);
        using var late = new CancellationTokenSource(Deadline);
        await UntilAsync(waits => waits?.StartsWith("its next supervisor", StringComparison.Ordinal) != true, late.Token);

        async Task UntilAsync(Func<string?, bool> isIt, CancellationToken cancel)
        {
            while (!isIt((await LookAsync(runs, cancel)).WaitsFor))
                await Task.Delay(20, cancel);
        }
    }
}
