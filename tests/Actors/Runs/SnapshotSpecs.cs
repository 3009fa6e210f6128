using System.Diagnostics;
using Akka.Actor;
using Akka.Configuration;
using Elastic.Actors.Hosting;
using Elastic.Actors.Runs;
using Elastic.Actors.Tests.Nodes;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Runs;

public sealed class SnapshotSpecs(ITestOutputHelper output) : IDisposable
{
    private const int Rounds = 2000;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly TinyRun _tiny = new();

    public void Dispose()
    {
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _tiny.Dispose();
    }

    [Fact]
    public async Task A_long_run_recovers_from_its_snapshot_and_its_audit_reads_every_event()
    {
        var (paths, database, run) = await LongRunAsync();
        await WithSupervisorAsync("from the journal", paths, database, run.Id, async supervisor =>
        {
            Assert.Equal(Rounds - 1, (await LookAsync(supervisor, run.Id)).Round);
            supervisor.Tell(run.LastCommit);
            await UntilAsync(async () => await CountAsync(database, "SELECT COUNT(*) FROM snapshot") == 1);
        });

        await WithSupervisorAsync("from the snapshot", paths, database, run.Id, async supervisor =>
            Assert.Equal((Rounds, run.LastCommit.Fingerprint), await LookAsync(supervisor, run.Id) is var view ? (view.Round, view.Fingerprint) : default));
        Assert.Equal((Rounds, true), await AuditAsync(paths, run.Id) is var report ? (report.Rounds, report.IsProven) : default);

        // An event that the snapshot spares the supervisor: only the audit misses it.
        await JournalTable.ChangeAsync(database, "DELETE FROM journal WHERE persistence_id = 'run-long' AND sequence_number = 1000");
        await WithSupervisorAsync("without event 1000", paths, database, run.Id, async supervisor =>
            Assert.Equal(Rounds, (await LookAsync(supervisor, run.Id)).Round));
        var complaint = await Assert.ThrowsAsync<Foundation.ElasticException>(() => AuditAsync(paths, run.Id));
        Assert.Contains("gap: event 1000 is missing", complaint.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("UPDATE snapshot SET manifest = 'run-state.99'")]
    [InlineData("UPDATE snapshot SET snapshot = x'7b'")]
    [InlineData("UPDATE snapshot SET serializer_id = 4053")]
    public async Task A_snapshot_that_cannot_be_read_is_passed_over_and_the_journal_replayed(string tampering)
    {
        var (paths, database, run) = await LongRunAsync(100);
        await WithSupervisorAsync("from the journal", paths, database, run.Id, async supervisor =>
        {
            await LookAsync(supervisor, run.Id);
            supervisor.Tell(run.LastCommit);
            await UntilAsync(async () => await CountAsync(database, "SELECT COUNT(*) FROM snapshot") == 1);
        });
        await JournalTable.ChangeAsync(database, tampering);
        await WithSupervisorAsync("with a bad snapshot", paths, database, run.Id, async supervisor =>
            Assert.Equal((100, run.LastCommit.Fingerprint), await LookAsync(supervisor, run.Id) is var view ? (view.Round, view.Fingerprint) : default));
    }

    // A tiny run makes the corpus that the long one reads.
    private async Task<(DataPaths Paths, DatabaseAddress Database, SyntheticRun Run)> LongRunAsync(int rounds = Rounds)
    {
        await _tiny.TrainAsync(TinyRun.Settings("a", rounds: 1), "cpu:1");
        var paths = new DataPaths(Path.Combine(_tiny.Root, "data"));
        var database = DatabaseAddress.Parse(null, paths.Root);
        var started = (RunEvent.RunStarted)(await JournalReader.ReadAsync(database, new RunId("a"), default))[0];
        var run = new SyntheticRun(paths, started.Corpus, "long", rounds);
        await JournalTable.WriteAsync(database, run.Id, run.Events);
        output.WriteLine($"{run.Events.Count} events of {rounds} rounds");
        return (paths, database, run);
    }

    private async Task WithSupervisorAsync(string how, DataPaths paths, DatabaseAddress database, RunId run, Func<IActorRef, Task> act)
    {
        var system = ActorSystem.Create("snapshots", ConfigurationFactory.ParseString("akka.remote.dot-netty.tcp.port = 0")
            .WithFallback(database.JournalSettings()).WithFallback(AkkaSettings.ForDevices(paths)));
        try
        {
            // The plugins and the pools are warm when the clock starts.
            await LookAsync(system.ActorOf(RunSupervisor.Props(new RunId("a"), Place(database))), new RunId("a"));
            var began = Stopwatch.GetTimestamp();
            var supervisor = system.ActorOf(RunSupervisor.Props(run, Place(database)));
            await LookAsync(supervisor, run);
            output.WriteLine($"{how}: recovered in {Stopwatch.GetElapsedTime(began).TotalMilliseconds:0} ms");
            await act(supervisor);
        }
        finally
        {
            await system.Terminate();
        }
    }

    private static SupervisorPlace Place(DatabaseAddress database) => new(GoOn: true, TimeSpan.FromMinutes(1), new CommitFence(database));

    // Waits in the mailbox until the supervisor has recovered.
    private static Task<RunView> LookAsync(IActorRef supervisor, RunId run) => supervisor.Ask<RunView>(new RunWatch.Look(run), Deadline);

    private static Task<LedgerReport> AuditAsync(DataPaths paths, RunId run) => JournalAudit.RunAsync(paths.Root, null, run, default);

    private static Task<long> CountAsync(DatabaseAddress database, string sql) => database.CallAsync(
        Deadline, async (connection, cancel) => (long)(await connection.ScalarAsync(sql, cancel))!, default);

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        var began = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < Deadline, "it never happened");
            await Task.Delay(50);
        }
    }
}
