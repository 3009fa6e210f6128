using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Akka.Actor;
using Elastic.Actors.Control;
using Elastic.Actors.Corpora;
using Elastic.Actors.Hosting;
using Elastic.Actors.Membership;
using Elastic.Actors.Nodes;
using Elastic.Actors.Runs;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Model.Native;
using Elastic.Model.Vectors;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors;

/// <summary>What a process is for.</summary>
/// <param name="Supervises">It is a seed: it has the database, and runs may be supervised here.</param>
/// <param name="Seeds">"HOST:PORT" of seeds to join; none to form a cluster.</param>
/// <param name="GoesOn">Runs that nobody stopped go on by themselves when it starts.</param>
/// <param name="Alone">No other process is ever part of it: nobody to wait for.</param>
public sealed record NodeDuty(bool Supervises, IReadOnlyList<string> Seeds, bool GoesOn, bool Alone)
{
    /// <summary><c>elastic train</c>: everything in one process, for one run.</summary>
    public static readonly NodeDuty Train = new(true, [], false, true);

    /// <summary><c>elastic seed</c>.</summary>
    public static NodeDuty Seed(params IReadOnlyList<string> others) => new(true, others, true, false);

    /// <summary><c>elastic worker</c>.</summary>
    public static NodeDuty Worker(params IReadOnlyList<string> seeds) => new(false, seeds, true, false);
}

/// <summary>One Elastic process: its devices, its blobs and their server, and its membership of the cluster.</summary>
public sealed class ElasticNode : IAsyncDisposable
{
    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan EndDeadline = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly ActorSystem _devices;
    private readonly ClusterMembership _member;
    private readonly DataServer _server;
    private readonly BlobFetcher _fetcher;
    private readonly Lifeline _lifeline;
    private readonly CorpusBuild _corpora;
    private readonly BlobPlaces _blobs;
    private readonly IActorRef _agent;
    private readonly string _arithmetic;

    private ElasticNode(
        ActorSystem devices, ClusterMembership member, DataServer server, BlobFetcher fetcher, Lifeline lifeline, CorpusBuild corpora, BlobPlaces blobs,
        IActorRef agent, string arithmetic)
    {
        (_devices, _member, _server, _fetcher, _lifeline) = (devices, member, server, fetcher, lifeline);
        (_corpora, _blobs, _agent, _arithmetic) = (corpora, blobs, agent, arithmetic);
        Control = new NodeControl(this).ToControl();
    }

    /// <summary>The control plane as bound, "host:port".</summary>
    public string Endpoint => $"{_member.Address.Host}:{_member.Address.Port}";

    /// <summary>The data plane as bound, "host:port".</summary>
    public string HttpEndpoint => _server.Endpoint;

    /// <summary>What a person can ask of the cluster from here.</summary>
    public ClusterControl Control { get; }

    internal IActorRef? Runs => _member.Runs;

    internal ActorSystem System => _member.System;

    internal static string Version => typeof(ElasticNode).Assembly.GetName().Version?.ToString(3) ?? "0";

    /// <summary>Starts a process that is everything for one run.</summary>
    /// <exception cref="ElasticException">A device is not there, or the port is taken.</exception>
    public static Task<ElasticNode> StartAsync(NodeSettings node, CancellationToken cancel = default) => StartAsync(node, NodeDuty.Train, _ => { }, cancel);

    /// <summary>Starts the process and begins to join, or forms a cluster; returns when that is done for the first time.</summary>
    /// <param name="say">Tells the person at this process what happens.</param>
    /// <exception cref="ElasticException">A device is not there, or a port is taken, or this version is not wanted.</exception>
    public static Task<ElasticNode> StartAsync(NodeSettings node, NodeDuty duty, Action<string> say, CancellationToken cancel = default) =>
        StartAsync(node, duty, say, NodeFaults.None, cancel);

    internal static async Task<ElasticNode> StartAsync(NodeSettings node, NodeDuty duty, Action<string> say, NodeFaults faults, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(node);
        ArgumentNullException.ThrowIfNull(duty);
        var devices = DeviceNames.Parse(node.Devices);
        var network = NetworkPreset.Load(node.Network);
        var paths = new DataPaths(Path.GetFullPath(node.DataDir), node.CorporaDir);
        Directory.CreateDirectory(paths.Root);
        DatabaseAddress? database = null;
        if (duty.Supervises)
        {
            database = DatabaseAddress.Parse(node.Database, paths.Root);
            await database.PrepareAsync(say, cancel);
        }

        var (blobs, lifelines, donors, readers) = (new BlobPlaces(), new Lifelines(), new Donors(), new ReaderWay());
        var fetcher = new BlobFetcher(donors);
        var corpora = new CorpusFiles(paths, blobs, fetcher);
        var server = await DataServer.StartAsync(node.Host, node.HttpPort, blobs, lifelines, cancel);
        string[] roles = [.. duty.Supervises ? ["seed"] : Array.Empty<string>(), .. devices.Count > 0 ? ["worker"] : Array.Empty<string>()];
        ClusterMembership member;
        try
        {
            member = ClusterMembership.Bind(new MemberPlace(
                node, port => AkkaSettings.ForMember(node.Host, port, roles, network, database, paths),
                database is null ? null : new RunsPlace(
                    new SupervisorPlace(duty.GoesOn, duty.Alone ? TimeSpan.Zero : Patience, new CommitFence(database)), new RunList(database), server.Endpoint, Version, lifelines),
                Lease: !duty.Alone, new Contacts([.. duty.Seeds.Select(Contacts.Parse)], database is null || duty.Alone ? null : new SeedRegistry(database)), corpora, readers, say));
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }

        var system = ActorSystem.Create("elastic-devices", AkkaSettings.ForDevices(paths));
        var incarnation = Guid.NewGuid().ToString("N");
        var id = new NodeId($"{member.Address.Host}:{member.Address.Port}");
        var lifeline = new Lifeline(id, incarnation);
        var arithmetic = devices.Count > 0 ? Arithmetic.Of(devices[0], node.ThreadsPerDevice) : "";
        var refused = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var agent = system.ActorOf(NodeAgent.Props(new NodePlace(
            id, incarnation, duty.Supervises, devices, node.ThreadsPerDevice, arithmetic, faults.Version ?? Version, paths, server.Endpoint, blobs, fetcher, donors, lifeline,
            corpora, readers, faults, say, why => refused.TrySetResult(why))), "node");
        var tokenizers = system.ActorOf(TokenizerActor.Pool(), "tokenizers");
        var result = new ElasticNode(system, member, server, fetcher, lifeline, new CorpusBuild(tokenizers, paths), blobs, agent, arithmetic) { Refused = refused.Task };
        member.Live(agent);
        try
        {
            // A worker waits for its seed as long as the person does; a process that is alone has nobody to wait for.
            await (duty.Alone ? member.Joined.WaitAsync(StartDeadline, cancel) : member.Joined.WaitAsync(cancel));
        }
        catch (Exception e)
        {
            await result.DisposeAsync();
            cancel.ThrowIfCancellationRequested();
            throw e is TimeoutException ? new ElasticException($"the node {id} did not start within {StartDeadline.TotalSeconds} s: see {paths.Root}/log.txt", e) : e;
        }

        return result;
    }

    /// <summary>Ends with the reason when the cluster does not want this process.</summary>
    public required Task<string> Refused { get; init; }

    /// <summary>Ends when somebody asks this process over HTTP to leave.</summary>
    public Task LeaveAsked => _server.LeaveAsked;

    /// <summary>Builds the corpus, or finds it built before; from then on other nodes can fetch it here.</summary>
    public async Task<BuiltCorpus> BuildCorpusAsync(CorpusSettings corpus, IProgress<CorpusProgress>? progress, CancellationToken cancel)
    {
        var built = await Task.Run(() => _corpora.RunAsync(corpus, progress, cancel), cancel);
        _blobs.Add(built);
        return built;
    }

    /// <inheritdoc cref="NodeControl.Resolve"/>
    public static TrainingSettings Resolve(TrainingSettings settings, BuiltCorpus corpus) => NodeControl.Resolve(settings, corpus);

    /// <summary>Starts the run, or goes on with it where its journal ends.</summary>
    /// <param name="settings">With <c>model.vocabulary</c> resolved to the tokenizer's.</param>
    /// <returns>A refusal when a run of that name has other settings or another corpus.</returns>
    /// <exception cref="ElasticException">The corpus is too small for the context, or no supervisor answers.</exception>
    public async Task<RunReply> StartRunAsync(TrainingSettings settings, BuiltCorpus corpus)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(corpus);
        var blocks = new BlockMap(corpus.TrainShards, settings.Model.Context).Blocks;
        var heldOut = corpus.HeldOutShards.Sum(s => (long)BlockMap.CountIn(s.Tokens, settings.Model.Context));
        var manifest = Digest.Of(await File.ReadAllBytesAsync(Path.Combine(corpus.Folder, CorpusManifest.FileName)));
        return await AskAsync<RunReply>(new RunCommand.Start(
            new RunId(settings.Run.Name), SettingsText.Write(settings), new FlatLayout(settings.Model).Length, corpus.Id, blocks, heldOut, _arithmetic, manifest));
    }

    /// <summary>The run as it changes; ends when it is finished or stopped, or cannot go on.</summary>
    public async IAsyncEnumerable<RunView> WatchAsync(RunId run, [EnumeratorCancellation] CancellationToken cancel)
    {
        // A slow display sees the newest, not all.
        var views = Channel.CreateBounded<RunView>(new BoundedChannelOptions(64) { FullMode = BoundedChannelFullMode.DropOldest });
        var watcher = _member.System.ActorOf(Props.Create(() => new WatcherActor(run, () => _member.Runs, views.Writer)));
        try
        {
            await foreach (var view in views.Reader.ReadAllAsync(cancel))
                yield return view;
        }
        finally
        {
            watcher.Tell(PoisonPill.Instance);
        }
    }

    /// <summary>Asks the run to stop at the next step boundary; <see cref="WatchAsync"/> says when it has.</summary>
    public Task<RunReply> StopRunAsync(RunId run) => AskAsync<RunReply>(new RunCommand.Pause(run));

    /// <summary>Hands everything over that only this process has, at the current inner step, so that no step is lost.</summary>
    /// <returns>False when the others did not take it in time; it is computed again then.</returns>
    public async Task<bool> LeaveAsync(TimeSpan deadline)
    {
        try
        {
            await _agent.Ask<Status.Success>(NodeAgent.Leave.Instance, deadline);
            return true;
        }
        catch (AskTimeoutException)
        {
            return false;
        }
    }

    /// <summary>Leaves the cluster and ends the actor systems.</summary>
    public async ValueTask DisposeAsync()
    {
        await _member.DisposeAsync();
        await _lifeline.DisposeAsync();
        try
        {
            await _devices.Terminate().WaitAsync(EndDeadline);
        }
        catch (TimeoutException)
        {
            // As above: nothing that was acknowledged depends on it.
        }

        _fetcher.Dispose();
        await _server.DisposeAsync();
    }

    /// <summary>Asks the supervisors.</summary>
    /// <exception cref="ElasticException">None answers in time.</exception>
    internal async Task<T> AskAsync<T>(IWireMessage question, TimeSpan? within = null, CancellationToken cancel = default)
    {
        var deadline = within ?? StartDeadline;
        try
        {
            return await (Runs ?? throw new ElasticException("this process is just joining the cluster again: try again in a moment")).Ask<T>(question, deadline, cancel);
        }
        catch (AskTimeoutException e)
        {
            throw new ElasticException($"the supervisor did not answer within {deadline.TotalSeconds} s: " +
                                       "it may be moving to another seed, or its database may be slow or down; log.txt in the data directory has the details", e);
        }
    }
}
