using System.Diagnostics;
using Akka.Actor;
using Akka.Configuration;
using Elastic.Actors.Hosting;
using Elastic.Actors.Runs;
using Elastic.Actors.Tests.Nodes;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Vectors;
using Elastic.Messages.Work;
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
        await WithSupervisorAsync("from the journal", paths, database, run, async (system, supervisor) =>
        {
            Assert.Equal(Rounds - 1, (await LookAsync(supervisor, run.Name)).Round);
            await CommitLastRoundAsync(system, supervisor, database, run);
        });

        await WithSupervisorAsync("from the snapshot", paths, database, run, async (_, supervisor) =>
            Assert.Equal(
                (Rounds, run.LastVersion[VectorSet.Parameters].Fingerprint),
                await LookAsync(supervisor, run.Name) is var view ? (view.Round, view.Fingerprint) : default));
        Assert.Equal((Rounds, true), await AuditAsync(paths, run.Name) is var report ? (report.Rounds, report.IsProven) : default);

        // An event that the snapshot spares the supervisor: only the audit misses it.
        await JournalTable.ChangeAsync(
            database, "DELETE FROM journal WHERE persistence_id = 'run-long-00000000' AND sequence_number = 1000");
        await WithSupervisorAsync("without event 1000", paths, database, run, async (_, supervisor) =>
            Assert.Equal(Rounds, (await LookAsync(supervisor, run.Name)).Round));
        var complaint = await Assert.ThrowsAsync<ElasticException>(() => AuditAsync(paths, run.Name));
        Assert.Contains("gap: event 1000 is missing", complaint.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("UPDATE snapshot SET manifest = 'run-state.99'")]
    [InlineData("UPDATE snapshot SET snapshot = x'7b'")]
    [InlineData("UPDATE snapshot SET serializer_id = 4053")]
    public async Task A_snapshot_that_cannot_be_read_is_passed_over_and_the_journal_replayed(string tampering)
    {
        var (paths, database, run) = await LongRunAsync(100);
        await WithSupervisorAsync("from the journal", paths, database, run, async (system, supervisor) =>
        {
            await LookAsync(supervisor, run.Name);
            await CommitLastRoundAsync(system, supervisor, database, run);
        });
        await JournalTable.ChangeAsync(database, tampering);
        await WithSupervisorAsync("with a bad snapshot", paths, database, run, async (_, supervisor) =>
            Assert.Equal(
                (100, run.LastVersion[VectorSet.Parameters].Fingerprint),
                await LookAsync(supervisor, run.Name) is var view ? (view.Round, view.Fingerprint) : default));
    }

    // A tiny run makes the corpus that the long one reads.
    private async Task<(DataPaths Paths, DatabaseAddress Database, SyntheticRun Run)> LongRunAsync(int rounds = Rounds)
    {
        await _tiny.TrainAsync(TinyRun.Settings("a", rounds: 1), "cpu:1");
        var paths = new DataPaths(Path.Combine(_tiny.Root, "data"));
        var database = DatabaseAddress.Parse(null, paths.Root);
        var tiny = Assert.Single(await new RunList(database).ReadAsync(default)).Run;
        var started = (RunEvent.RunStarted)(await JournalReader.ReadAsync(database, tiny, default))[0];
        var run = new SyntheticRun(paths, started.Corpus, "long", rounds);
        await new RunList(database).AddAsync(run.Id, run.Name.Value, default);
        await JournalTable.WriteAsync(database, run.Id, run.Events);
        output.WriteLine($"{run.Events.Count} events of {rounds} rounds");
        return (paths, database, run);
    }

    private async Task WithSupervisorAsync(
        string how, DataPaths paths, DatabaseAddress database, SyntheticRun run, Func<ActorSystem, IActorRef, Task> act)
    {
        await using var observations = new Observations(new ObservationStore(database));
        var context = new SupervisorContext(
            new CoordinatorSettings(GoesOn: true, TimeSpan.FromMinutes(1)), new CommitFence(database), observations);
        var system = ActorSystem.Create("snapshots", ConfigurationFactory.ParseString("akka.remote.elastic.port = 0")
            .WithFallback(database.JournalSettings()).WithFallback(AkkaSettings.ForDevices(paths)));
        try
        {
            // The plugins and the pools are warm when the clock starts.
            var tiny = (await new RunList(database).ReadAsync(default))[0].Run;
            await LookAsync(system.ActorOf(RunSupervisor.Props(tiny, context, null)), tiny.Name);
            var began = Stopwatch.GetTimestamp();
            var supervisor = system.ActorOf(RunSupervisor.Props(run.Id, context, null));
            await LookAsync(supervisor, run.Name);
            output.WriteLine($"{how}: recovered in {Stopwatch.GetElapsedTime(began).TotalMilliseconds:0} ms");
            await act(system, supervisor);
        }
        finally
        {
            await system.Terminate();
        }
    }

    // A node that has all that the run needs comes, averages and assembles: then the round is over, and a snapshot is due.
    private static async Task CommitLastRoundAsync(ActorSystem system, IActorRef supervisor, DatabaseAddress database, SyntheticRun run)
    {
        system.ActorOf(Props.Create(() => new WholeNode(supervisor, run)));
        var began = Stopwatch.GetTimestamp();
        while (await CountAsync(database, "SELECT COUNT(*) FROM snapshot") != 1)
        {
            if (Stopwatch.GetElapsedTime(began) > Deadline)
                Assert.Fail($"there is no snapshot: {await LookAsync(supervisor, run.Name)}");
            await Task.Delay(50);
        }
    }

    // Waits in the mailbox until the supervisor has recovered.
    private static Task<RunView> LookAsync(IActorRef supervisor, RunName run) => supervisor.Ask<RunView>(new RunWatch.Look(run), Deadline);

    private static Task<AuditReport> AuditAsync(DataPaths paths, RunName run) => JournalAudit.RunAsync(paths.Root, null, run, default);

    private static Task<long> CountAsync(DatabaseAddress database, string sql) => database.CallAsync(
        Deadline, async (connection, cancel) => (long)(await connection.ScalarAsync(sql, cancel))!, default);

    private sealed class WholeNode : ReceiveActor
    {
        public WholeNode(IActorRef supervisor, SyntheticRun run)
        {
            var id = new NodeId("a");
            Receive<NodeCommand.Survey>(s =>
                Sender.Tell(new FromNode(new NodeReport.Surveyed(id, s.RunId, s.Number, s.Sets, s.Sets, s.Part))));
            Receive<WorkOrder>(order =>
            {
                WorkOutcome? outcome = order.Content switch
                {
                    Average average =>
                        new Averaged(average.Round, AveragedChunk.Inputs(average.Version, average.Contributions), run.LastChunks),
                    Assemble assemble => new Assembled(assemble.Round, run.LastVersion.Digest),
                    _ => null,                                         // the score and the checkpoint of the last version
                };
                if (outcome is not null)
                    Sender.Tell(new FromNode(new WorkResult(order.Job, id, order.Id, order.Key, order.From, outcome)));
            });
            supervisor.Tell(new FromNode(new NodeReport.Enlist(id)
            {
                Devices = [new DeviceId("cpu:0")],
                Incarnation = "1",
                Address = "127.0.0.1:1",
                Endpoint = "127.0.0.1:2",
                Seed = true,
                Version = "0.2",
                Arithmetic = "cpu 2",
                Works = [],
                Leaving = false,
            }));
        }
    }
}
