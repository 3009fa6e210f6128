using Akka.Actor;
using Elastic.Actors.Hosting;
using Elastic.Actors.Runs;
using Elastic.Coordination;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;
using Elastic.Storage;
using Elastic.Testing;
using Elastic.Transfer;

namespace Elastic.Actors.Tests.Runs;

/// <summary>A seed's runs, as RunsActor has them, on a database of their own, without the cluster around it.</summary>
public abstract class SeedOfRuns(Databases databases, DatabaseKind kind = DatabaseKind.Sqlite) : TemporaryFolder, IAsyncLifetime
{
    protected static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);
    protected static readonly RunName Name = new("tiny");

    private readonly List<IAsyncDisposable> _open = [];
    private int _requests;

    public async ValueTask InitializeAsync() => Database = await databases.NewAsync(kind);

    public async ValueTask DisposeAsync()
    {
        foreach (var open in _open)
            await open.DisposeAsync();
        Dispose();
        GC.SuppressFinalize(this);
    }

    protected DatabaseAddress Database { get; private set; } = null!;

    protected ActorSystem Actors { get; private set; } = null!;

    protected async Task<IEnumerable<string>> FailuresAsync() =>
        (await new ObservationStore(Database).ReadAsync(new ObservationQuery(AtMost: 100), default))
            .Select(o => o.What).OfType<RunFailed>().Select(f => f.Why);

    protected Task<RunReply> StartAsync(IActorRef runs, RunName name) =>
        runs.Ask<RunReply>(Start(name), Deadline);

    protected RunRequest.Start Start(RunName name) => RunSamples.Begin with { Run = name, Origin = By() };

    protected Origin By() => new($"request-{Interlocked.Increment(ref _requests)}", "a test", DateTimeOffset.UnixEpoch);

    // As on a seed, without the cluster around it.
    protected IActorRef Begin(bool goesOn = true)
    {
        var observations = new Observations(new ObservationStore(Database));
        Actors = ActorSystem.Create("runs", Database.JournalSettings().WithFallback(AkkaSettings.ForDevices(new DataPaths(Folder))));
        _open.AddRange([new Ended(Actors), observations]);
        var supervisors = new SupervisorContext(
            new CoordinatorSettings(goesOn, TimeSpan.FromMinutes(1)), new CommitFence(Database), observations);
        return Actors.ActorOf(
            RunsActor.Props(
                new RunsContext(supervisors, new RunList(Database), "127.0.0.1:80", ElasticNode.Version, new LivenessConnections())),
            "runs");
    }

    /// <summary>Looks at the run until its view is such.</summary>
    /// <exception cref="TimeoutException">It is not before the deadline.</exception>
    private protected static async Task<RunView> LookUntilAsync(IActorRef runs, string what, Func<RunView, bool> condition)
    {
        RunView? view = null;
        await new Wait(Deadline, TimeSpan.FromMilliseconds(20)).UntilAsync(
            what, async () => condition(view = await runs.Ask<RunView>(new RunWatch.Look(Name), Deadline)), () => $"{view}");
        return view!;
    }

    // A supervisor that ends with the question before it does not answer.
    protected static async Task<RunView> LookAsync(IActorRef runs, CancellationToken cancel)
    {
        while (true)
        {
            try
            {
                return await runs.Ask<RunView>(new RunWatch.Look(Name), TimeSpan.FromSeconds(5), cancel);
            }
            catch (AskTimeoutException)
            {
                cancel.ThrowIfCancellationRequested();
            }
        }
    }

    protected async Task EndAsync()
    {
        foreach (var open in _open)
            await open.DisposeAsync();
        _open.Clear();
    }

    private sealed class Ended(ActorSystem system) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await system.Terminate();
    }
}
