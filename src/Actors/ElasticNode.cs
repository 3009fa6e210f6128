using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Tools.Singleton;
using Elastic.Actors.Corpora;
using Elastic.Actors.Hosting;
using Elastic.Actors.Nodes;
using Elastic.Actors.Runs;
using Elastic.Corpus;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Model.Native;
using Microsoft.Data.Sqlite;

namespace Elastic.Actors;

/// <summary>One Elastic process: an actor system that is seed and worker at once, with its journal in the data directory.</summary>
public sealed class ElasticNode : IAsyncDisposable
{
    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan EndDeadline = TimeSpan.FromSeconds(30);

    private readonly ActorSystem _system;
    private readonly IActorRef _runs;
    private readonly CorpusBuild _corpora;
    private readonly string _arithmetic;

    private ElasticNode(ActorSystem system, IActorRef runs, CorpusBuild corpora, string arithmetic) =>
        (_system, _runs, _corpora, _arithmetic) = (system, runs, corpora, arithmetic);

    /// <summary>Starts the node and forms a cluster of one.</summary>
    /// <exception cref="ElasticException">A device is not there, or the port is taken.</exception>
    public static async Task<ElasticNode> StartAsync(NodeSettings node, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(node);
        var devices = DeviceNames.Parse(node.Devices);
        var paths = new DataPaths(Path.GetFullPath(node.DataDir));
        Directory.CreateDirectory(paths.Root);
        PrepareJournal(paths.Journal);

        ActorSystem system;
        try
        {
            system = ActorSystem.Create("elastic", AkkaSettings.For(node, paths));
        }
        catch (Exception e) when (e.GetBaseException() is System.Net.Sockets.SocketException socket)
        {
            throw new ElasticException($"the address {node.Host}:{node.Port} cannot be bound ({socket.Message}): " +
                                       "free it, or set node.port = 0 for any free port", e);
        }

        var cluster = Cluster.Get(system);
        using (var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancel))
        {
            timeout.CancelAfter(StartDeadline);
            try
            {
                await cluster.JoinAsync(cluster.SelfAddress, timeout.Token);
            }
            catch (Exception e) when (e is ClusterJoinFailedException or OperationCanceledException)
            {
                await system.Terminate().WaitAsync(EndDeadline, CancellationToken.None);
                cancel.ThrowIfCancellationRequested();
                throw new ElasticException($"the node {cluster.SelfAddress} did not start within {StartDeadline.TotalSeconds} s: see {paths.Root}/log.txt", e);
            }
        }

        system.ActorOf(ClusterSingletonManager.Props(
            Props.Create(() => new RunsActor()), PoisonPill.Instance, ClusterSingletonManagerSettings.Create(system).WithRole("seed")), "runs");
        var runs = system.ActorOf(ClusterSingletonProxy.Props("/user/runs", ClusterSingletonProxySettings.Create(system).WithRole("seed")), "runs-proxy");
        var readers = ShardRegions.Start(system, paths);
        var tokenizers = system.ActorOf(TokenizerActor.Pool(), "tokenizers");
        var self = cluster.SelfAddress;
        system.ActorOf(NodeAgent.Props(new NodePlace(
            new NodeId($"{self.Host}:{self.Port}"), devices, node.ThreadsPerDevice, paths, runs, readers)), "node");
        return new ElasticNode(system, runs, new CorpusBuild(tokenizers, paths), Arithmetic.Of(devices[0], node.ThreadsPerDevice));
    }

    /// <summary>Builds the corpus, or finds it built before.</summary>
    public Task<BuiltCorpus> BuildCorpusAsync(CorpusSettings corpus, IProgress<CorpusProgress>? progress, CancellationToken cancel) =>
        Task.Run(() => _corpora.RunAsync(corpus, progress, cancel), cancel);

    /// <summary>Starts the run, or goes on with it where its journal ends.</summary>
    /// <param name="settings">With <c>model.vocabulary</c> resolved to the tokenizer's.</param>
    /// <returns>A refusal when a run of that name has other settings or another corpus.</returns>
    /// <exception cref="ElasticException">The corpus is too small for the context.</exception>
    public async Task<RunReply> StartRunAsync(TrainingSettings settings, BuiltCorpus corpus)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(corpus);
        var blocks = new BlockMap(corpus.TrainShards, settings.Model.Context).Blocks;
        var heldOut = corpus.HeldOutShards.Sum(s => (long)BlockMap.CountIn(s.Tokens, settings.Model.Context));
        try
        {
            return await _runs.Ask<RunReply>(
                new RunCommand.Start(new RunId(settings.Run.Name), SettingsText.Write(settings), corpus.Id, blocks, heldOut, _arithmetic), StartDeadline);
        }
        catch (AskTimeoutException e)
        {
            throw new ElasticException($"the supervisor of run {settings.Run.Name} did not answer within {StartDeadline.TotalSeconds} s: " +
                                       "the journal may be on a very slow disk; log.txt in the data directory has the details", e);
        }
    }

    /// <summary>The run as it changes; ends when it is finished or stopped, or cannot go on.</summary>
    public async IAsyncEnumerable<RunView> WatchAsync(RunId run, [EnumeratorCancellation] CancellationToken cancel)
    {
        // A slow display sees the newest, not all.
        var views = Channel.CreateBounded<RunView>(new BoundedChannelOptions(64) { FullMode = BoundedChannelFullMode.DropOldest });
        var watcher = _system.ActorOf(Props.Create(() => new WatcherActor(run, _runs, views.Writer)));
        try
        {
            await foreach (var view in views.Reader.ReadAllAsync(cancel))
                yield return view;
        }
        finally
        {
            _system.Stop(watcher);
        }
    }

    /// <summary>Asks the run to stop at the next step boundary; <see cref="WatchAsync"/> says when it has.</summary>
    public Task StopRunAsync(RunId run)
    {
        _runs.Tell(new RunWatch.Stop(run));
        return Task.CompletedTask;
    }

    /// <summary>Leaves the cluster and ends the actor system.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await CoordinatedShutdown.Get(_system).Run(CoordinatedShutdown.ClusterLeavingReason.Instance).WaitAsync(EndDeadline);
        }
        catch (TimeoutException)
        {
            // What was acknowledged is stored, and the process is about to end: not worth hiding another error for.
        }
    }

    // Write-ahead logging stays set in the file: about three times faster for our small transactions.
    private static void PrepareJournal(string path)
    {
        try
        {
            using var connection = new SqliteConnection(AkkaSettings.ConnectionString(path));
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA journal_mode = WAL";
            command.ExecuteNonQuery();
        }
        catch (SqliteException e)
        {
            const int full = 13;                                     // SQLITE_FULL
            throw new ElasticException(e.SqliteErrorCode == full
                ? $"the disk is full, so the journal {path} cannot be opened: free some space, then give the same command again"
                : $"the journal {path} cannot be opened ({e.Message}): restore it from a copy, or name another --data-dir", e);
        }
    }
}
