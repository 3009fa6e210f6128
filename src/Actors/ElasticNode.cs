using System.Runtime.CompilerServices;
using Akka.Actor;
using Elastic.Actors.Control;
using Elastic.Actors.Corpora;
using Elastic.Actors.Hosting;
using Elastic.Actors.Membership;
using Elastic.Actors.Nodes;
using Elastic.Actors.Runs;
using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Model.Training;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors;

/// <summary>One Elastic process: its devices, its blobs and their server, and its membership of the cluster.</summary>
public sealed class ElasticNode : IAsyncDisposable
{
    // A first answer takes long on a machine that is busy, and in an emulator.
    private static readonly TimeSpan StartDeadline = TimeSpan.FromMinutes(2);
    // A seed that starts again is back in the cluster sooner. Where all nodes are asked to leave at once, the seed may be the first.
    private static readonly TimeSpan WithoutSeeds = TimeSpan.FromSeconds(10);

    // On a busy machine a supervisor takes some seconds; one that moves is back within ten.
    private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan EndDeadline = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly ActorSystem _devices;
    private readonly ClusterMembership _member;
    private readonly DataServer? _server;
    private readonly BlobFetcher _fetcher;
    private readonly LivenessConnection? _liveness;
    private readonly CorpusBuild _corpora;
    private readonly IActorRef _agent;
    private readonly DataPaths _paths;
    private readonly string _arithmetic;

    private ElasticNode(
        ActorSystem devices, ClusterMembership member, DataServer? server, BlobFetcher fetcher, LivenessConnection? liveness,
        CorpusBuild corpora, BlobLocations blobs, IActorRef agent, DataPaths paths, string arithmetic)
    {
        (_devices, _member, _server, _fetcher, _liveness) = (devices, member, server, fetcher, liveness);
        (_corpora, _agent, _paths, _arithmetic) = (corpora, agent, paths, arithmetic);
        Builds = new ClusterBuilds(this);
        Streams = new CorpusStreams(corpora, paths, blobs);
        Control = new NodeControl(this);
    }

    /// <summary>The control plane as bound.</summary>
    public Endpoint Endpoint => _member.Address.ToEndpoint();

    /// <summary>The data plane as bound; where there is none, an address at which nobody listens.</summary>
    public Endpoint HttpEndpoint => _server?.Endpoint ?? Endpoint;

    /// <summary>Why the process is of no use to a cluster at this moment; null while it is.</summary>
    public string? Unready => _member.Runs is null ? "this process is in no cluster: it is joining one" : null;

    /// <summary>The requests that a person can make of the cluster from here.</summary>
    public IClusterControl Control { get; }

    /// <summary>The observations of the runs that are supervised here; null on a worker.</summary>
    public Observations? Observations { get; private init; }

    /// <summary>The database of a seed; null on a worker.</summary>
    public DatabaseAddress? Database { get; private init; }

    /// <summary>How the connections of this process are secured, in words.</summary>
    internal string Security { get; private init; } = "";

    /// <summary>The corpora that are built here while runs read them.</summary>
    internal CorpusStreams Streams { get; }

    internal IActorRef? Runs => _member.Runs;

    internal ActorSystem System => _member.System;

    internal IActorRef Agent => _agent;

    internal NodeContext Context { get; private init; } = null!;

    internal ClusterBuilds Builds { get; }

    internal NodeFaults Faults => Context.Faults;

    internal DataPaths Paths => _paths;

    internal CorpusBuild Corpora => _corpora;

    internal string OwnArithmetic => _arithmetic;

    internal static string Version => typeof(ElasticNode).Assembly.GetName().Version?.ToString(3) ?? "0";

    /// <summary>Starts a process that supervises and computes one run alone.</summary>
    /// <exception cref="ElasticException">A device does not exist, or the port is taken.</exception>
    public static Task<ElasticNode> StartAsync(NodeSettings node, CancellationToken cancel = default) =>
        StartAsync(node, NodeDuty.Train, _ => { }, NodeFaults.None, Transport.Plain, cancel);

    /// <summary>Starts the process, and joins or forms a cluster; returns when it has joined for the first time.</summary>
    /// <param name="say">Tells the person at this process what happens.</param>
    /// <exception cref="ElasticException">A device does not exist, a port is taken, or the cluster refuses this version.</exception>
    public static Task<ElasticNode> StartAsync(NodeSettings node, NodeDuty duty, Action<string> say, CancellationToken cancel = default) =>
        StartAsync(node, duty, say, NodeFaults.None, Transport.Plain, cancel);

    internal static async Task<ElasticNode> StartAsync(
        NodeSettings node, NodeDuty duty, Action<string> say, NodeFaults faults, Transport transport, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(node);
        ArgumentNullException.ThrowIfNull(duty);
        var devices = DeviceNames.Parse(node.Devices);
        var arithmetic = devices.Count > 0 ? faults.Arithmetic ?? Arithmetic.OfAll(devices) : "";
        DeviceNames.CheckSharding(node, devices);
        var network = NetworkPreset.Load(node.Network);
        var security = await NodeSecurity.DescribeAsync(node, transport, cancel);
        var paths = new DataPaths(Path.GetFullPath(node.DataDir), node.CorporaDir);
        Directory.CreateDirectory(paths.Root);
        Leftovers.Remove(paths);
        var id = NodeIdentity.Load(paths, transport.Credentials?.Self);
        DatabaseAddress? database = null;
        if (duty.Supervises)
        {
            database = DatabaseAddress.Parse(node.Database, paths.Root);
            await database.PrepareAsync(say, cancel);
            foreach (var sign in await OlderDatabase.SignsAsync(database, paths, cancel))
                say(sign);
        }

        var (blobs, connections, peers, readers) = (new BlobLocations(), new LivenessConnections(), new Peers(), new ReaderWay());
        var fetcher = new BlobFetcher(peers, transport);
        var (corpora, stages) = (new CorpusFiles(paths, blobs, fetcher), new StageConnections(transport));
        // A process that is alone talks to nobody, so it opens no port, and nobody can talk to it.
        var server = duty.Alone ? null
            : await DataServer.StartAsync(node.Host, node.HttpPort, blobs, connections, transport, cancel, stages);
        var served = server?.Endpoint ?? AkkaSettings.Nowhere;
        var (version, refused) = (
            NodeVersion.Of(faults.Version ?? Version),
            new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously));
        void Refuse(string why) => refused.TrySetResult(why);
        string[] roles = [.. duty.Supervises ? ["seed"] : Array.Empty<string>(), .. devices.Count > 0 ? ["worker"] : Array.Empty<string>()];
        var observations = database is null ? null : new Observations(new ObservationStore(database), say: say);
        var logs = AkkaSettings.LogsAs(node.LogFormat);
        ClusterMembership member;
        try
        {
            member = ClusterMembership.Bind(new MemberContext(
                node, port => logs.WithFallback(duty.Alone
                    ? AkkaSettings.ForMemberAlone(roles, version, network, database!, paths)
                    : AkkaSettings.ForMember(Endpoint.HostOf(node.Host), port, roles, version, network, database, paths)),
                transport,
                observations is null ? null : new RunsContext(
                    new SupervisorContext(
                        new CoordinatorSettings(duty.GoesOn, duty.Alone ? TimeSpan.Zero : Patience),
                        new CommitFence(database!), observations),
                    new RunList(database!), served.ToString(), Version, connections, transport.Credentials),
                Lease: !duty.Alone,
                new Contacts(
                    duty.Seeds, database is null || duty.Alone ? null : new SeedRegistry(database), transport,
                    duty.Supervises ? null : new RememberedSeeds(paths.KnownSeeds, duty.Seeds)),
                corpora, readers, say, Refuse));
        }
        catch
        {
            await (server?.DisposeAsync() ?? ValueTask.CompletedTask);
            await (observations?.DisposeAsync() ?? ValueTask.CompletedTask);
            throw;
        }

        var system = ActorSystem.Create("elastic-devices", logs.WithFallback(AkkaSettings.ForDevices(paths)));
        var incarnation = Guid.NewGuid().ToString("N");
        var liveness = duty.Alone ? null : new LivenessConnection(id, incarnation, transport);
        if (devices.Any(d => d.IsCpu) && InstructionSet.Describe() is { IsSlow: true } slow)
            say($"this processor computes by {slow.Name}: results are the same, and come some fifty times slower");
        var context = new NodeContext
        {
            Facts = new NodeFacts
            {
                Id = id,
                Incarnation = incarnation,
                Address = member.Address.ToEndpoint().ToString(),
                Endpoint = served.ToString(),
                Seed = duty.Supervises,
                Version = version.Elastic,
                Arithmetic = arithmetic,
                Cores = Environment.ProcessorCount,
                Labels = Labels.Of(node.Labels),
                Sharing = new ReplicaSharing(node.Zero, $"{node.ReplicaSplit}", node.Offload, DeviceNames.ThreadsPerDevice(node)),
            },
            Devices = node.Devices,
            ThreadsPerDevice = text => DeviceNames.ThreadsPerDevice(node with { Devices = text }),
            Paths = paths,
            Endpoint = served,
            Blobs = blobs,
            Fetcher = fetcher,
            Peers = peers,
            Stages = stages,
            Liveness = liveness,
            Corpora = corpora,
            CorpusRoots = node.CorpusRoots,
            Readers = readers,
            Faults = faults,
            Say = say,
            Refuse = Refuse,
        };
        var agent = system.ActorOf(NodeAgent.Props(context), "node");
        var tokenizers = system.ActorOf(TokenizerActor.Pool(), "tokenizers");
        Action<string> agentStopped =
            what => Refuse($"{what} has stopped: start this process again; log.txt in its data directory says why");
        system.ActorOf(Props.Create(() => new EssentialActors(agentStopped)), "essential-actors")
            .Tell(new EssentialActors.Watch(agent, "the node agent"));
        var result = new ElasticNode(
            system, member, server, fetcher, liveness, new CorpusBuild(tokenizers, paths, faults), blobs, agent, paths, arithmetic)
        {
            Refused = refused.Task,
            Context = context,
            Observations = observations,
            Database = database,
            Security = security,
            PlanFor = settings => duty.Alone && devices is not [] && devices.All(d => d.IsCpu)
                ? TrainingPlan.OfAll(
                    settings, devices.Count, DeviceNames.ThreadsPerDevice(node), node.Zero, node.Offload, node.ReplicaSplit) : null,
        };
        member.Live(agent);
        try
        {
            // A worker waits for its seed until the person cancels; a process that is alone waits for no other.
            await (duty.Alone ? member.Joined.WaitAsync(StartDeadline, cancel) : member.Joined.WaitAsync(cancel));
        }
        catch (Exception e)
        {
            await result.DisposeAsync();
            cancel.ThrowIfCancellationRequested();
            throw e is TimeoutException
                ? new ElasticException(
                    $"the node {member.Address.ToEndpoint()} did not start within {StartDeadline.TotalSeconds} s: "
                    + $"see {paths.Root}/log.txt", e)
                : e;
        }

        return result;
    }

    /// <summary>Ends with the reason when the cluster refuses this process.</summary>
    public required Task<string> Refused { get; init; }

    /// <summary>Ends when an HTTP client asks this process to leave.</summary>
    public Task LeaveAsked => _server?.LeaveAsked ?? Task.Delay(Timeout.Infinite);

    /// <summary>Builds the corpus, or finds it built before; from then on other nodes can fetch it from this node.</summary>
    public async Task<BuiltCorpus> BuildCorpusAsync(CorpusSettings corpus, IProgress<CorpusProgress>? progress, CancellationToken cancel)
    {
        var built = await Task.Run(() => _corpora.RunAsync(corpus, progress, null, cancel), cancel);
        Context.Blobs.Add(built);
        return built;
    }

    /// <summary>A corpus that was built here before; null where it was not. Its sources may be gone since.</summary>
    public BuiltCorpus? OpenCorpus(Digest id)
    {
        if (!BuiltCorpus.TryOpen(_paths.Corpus(id), out var built) && !BuiltCorpus.TryOpen(_paths.FetchedCorpus(id), out built))
            return null;
        if (built.Files.Any(f => !File.Exists(f.Path)))
            return null;                                               // fetched, and not all of it
        Context.Blobs.Add(built);
        return built;
    }

    /// <summary>The newest run of that name with what it was started with; null where there is none. On a seed only.</summary>
    internal Task<RememberedRun?> RememberedAsync(RunName name, CancellationToken cancel) =>
        Database is { } database ? StoredRuns.FindAsync(database, name, cancel) : Task.FromResult<RememberedRun?>(null);

    /// <inheritdoc cref="NodeControl.Resolve"/>
    public static TrainingSettings Resolve(TrainingSettings settings, BuiltCorpus corpus) => NodeControl.Resolve(settings, corpus);

    /// <summary>What training takes of this machine; null where other machines help, or GPUs with memory of their own.</summary>
    public Func<TrainingSettings, TrainingPlan?> PlanFor { get; private init; } = _ => null;

    /// <summary>Starts the run, or resumes it where its journal ends.</summary>
    /// <param name="settings">With <c>model.vocabulary</c> resolved to the tokenizer's.</param>
    /// <param name="origin">Who asks.</param>
    /// <param name="changes">What changes in mid-run, in the order of the rounds; those that the run has already are passed over.</param>
    /// <returns>A refusal when a run of that name has other settings or another corpus.</returns>
    /// <exception cref="ElasticException">
    /// The corpus is too small for the context, the memory too small for the model, the weights to start from are none or of another model,
    /// or no supervisor answers.
    /// </exception>
    public async Task<RunReply> StartRunAsync(
        TrainingSettings settings, BuiltCorpus corpus, Origin origin, IReadOnlyList<SettingsChange>? changes = null)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(corpus);
        // Before the run is in the journal. In a cluster each node looks at its own memory when it takes work.
        if (PlanFor(settings)?.Problem(MachineMemory.Now().FreeBytes) is { } problem)
            throw new ElasticException(problem);
        if (settings.Model.Init is not null)
        {
            var known = await RememberedAsync(new RunName(settings.Run.Name), CancellationToken.None);
            settings = settings with { Model = await RunStart.PinAsync(settings.Model, known?.Settings.Model, new(_paths.Models)) };
        }

        var parts = RunStart.Parts(settings, corpus, changes ?? [], origin, _arithmetic);
        return await AskAsync<RunReply>(parts, StartDeadline, CancellationToken.None);
    }

    /// <summary>Streams the run's views; ends when the run is finished or stopped, or cannot go on.</summary>
    public async IAsyncEnumerable<RunView> WatchAsync(RunName run, [EnumeratorCancellation] CancellationToken cancel)
    {
        await foreach (var view in RunViews.WatchAsync(_member, run, cancel))
            yield return Here(view);
    }

    /// <summary>
    /// The view with the checkpoint's path in this data directory, where the checkpoint is here: the journal has the path of the day on
    /// which it was taken, and the directory may have been moved since.
    /// </summary>
    internal RunView Here(RunView view) =>
        view.Checkpoint is { } stored && Path.Combine(_paths.Checkpoints(view.RunId), Path.GetFileName(stored)) is var here
        && File.Exists(here)
            ? view with { Checkpoint = here }
            : view;

    /// <summary>Asks the run to stop at the next step boundary; <see cref="WatchAsync"/> says when it has.</summary>
    public Task<RunReply> StopRunAsync(RunName run, Origin origin) => AskAsync<RunReply>(new RunRequest.Stop(run, origin));

    /// <summary>Deletes the run and all that nodes store of it; refused while it is at work.</summary>
    public Task<RunReply> DeleteRunAsync(RunName run, Origin origin) => AskAsync<RunReply>(new RunRequest.Delete(run, origin));

    /// <summary>Hands over everything that only this process has, at the current inner step, so that no step is lost.</summary>
    /// <returns>Why the other nodes did not take the work, which they compute again then; null where they did.</returns>
    public Task<string?> LeaveAsync(TimeSpan deadline) => LeaveAsync(deadline, WithoutSeeds);

    internal async Task<string?> LeaveAsync(TimeSpan deadline, TimeSpan withoutSeeds)
    {
        using var over = new CancellationTokenSource();
        var released = _agent.Ask<Status.Success>(NodeAgent.Leave.Instance, deadline);
        try
        {
            if (await Task.WhenAny(released, _member.WithoutSeedsAsync(withoutSeeds, over.Token)) != released)
                return "no seed is left that could take over";
            await released;
            return null;
        }
        catch (AskTimeoutException)
        {
            return $"nobody took over within {deadline.TotalSeconds} s";
        }
        finally
        {
            await over.CancelAsync();
        }
    }

    /// <summary>Leaves the cluster and ends the actor systems.</summary>
    public async ValueTask DisposeAsync()
    {
        await Streams.EndAsync();
        await Builds.DisposeAsync();
        await _member.DisposeAsync();
        await (_liveness?.DisposeAsync() ?? ValueTask.CompletedTask);
        try
        {
            await _devices.Terminate().WaitAsync(EndDeadline);
        }
        catch (TimeoutException)
        {
            // Nothing that was acknowledged depends on it.
        }

        _fetcher.Dispose();
        await (_server?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (Observations?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    /// <summary>Asks the supervisors.</summary>
    /// <exception cref="ElasticException">None answers in time.</exception>
    internal Task<T> AskAsync<T>(IWireMessage question, TimeSpan? within = null, CancellationToken cancel = default) =>
        AskAsync<T>([question], within ?? StartDeadline, cancel);

    private Task<T> AskAsync<T>(IReadOnlyList<IWireMessage> question, TimeSpan within, CancellationToken cancel) =>
        new Questions(() => Runs, AskAgain, () => _member.Trouble).AskAsync<T>(question, within, cancel);
}
