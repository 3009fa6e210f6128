using System.Collections.Concurrent;
using Elastic.Actors.Corpora;
using Elastic.Actors.Nodes.Replicas;
using Elastic.Actors.Work;
using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Splits;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Nodes;

/// <summary>
/// What a node knows of a run that it works for, under the settings of one segment, which never change. Beside them it keeps what was found
/// out meanwhile: other segments, splits, replicas that were computed, times of pieces. Thread-safe: all of the node's actors share it.
/// </summary>
internal sealed class NodeRun : NodeJob
{
    private readonly NodeRun? _opened;
    private readonly ConcurrentDictionary<(string Changes, string Mixtures), NodeRun> _segments = new();

    // Of the run as it was opened: which layers a network has no segment changes, and to find it out takes a forward pass without numbers.
    private readonly ConcurrentDictionary<int, SplitInUse> _splits = new();

    /// <exception cref="ElasticException">The model does not fit the corpus, or does not train in its precision.</exception>
    public NodeRun(NodeCommand.OpenRun run, NodeContext context, BuiltCorpus corpus, BlobStore blobs) : base(run.RunId, context, blobs)
    {
        SettingsCanonical = run.Settings;
        CorpusId = run.Corpus;
        Schedule = new RunSchedule(run.Settings, corpus);
        Architecture = Architectures.Open(Settings.Model);
        Optimizer = Optimizers.Open(Settings.Optimizer);
        Precision = Precision.Of(Settings.Run.Precision, Architecture, Optimizer);
        Layout = new FlatLayout(Architecture.Parameters);
        GroupSizes = SplitInUse.GroupSizes(Split, Architecture);
    }

    // Of another segment: only what the settings that may change decide is made anew.
    private NodeRun(NodeRun run, string changes, string mixtures) : base(run.Id, run.Context, run.Blobs)
    {
        (_opened, CorpusId, Architecture, Layout) = (run, run.CorpusId, run.Architecture, run.Layout);
        (Computed, PieceTimes, GroupSizes) = (run.Computed, run.PieceTimes, run.GroupSizes);
        Schedule = run.Schedule.In(changes, mixtures);
        SettingsCanonical = SettingsText.Write(Settings);
        Optimizer = Optimizers.Open(Settings.Optimizer);
        Precision = Precision.Of(Settings.Run.Precision, Architecture, Optimizer);
    }

    /// <summary>The run under the settings of a segment, which an order names: they may have changed since the run was opened.</summary>
    /// <exception cref="ElasticException">They are none that may change, or cannot be used together.</exception>
    public NodeRun In(string changes, string mixtures = "") =>
        _opened is not null ? _opened.In(changes, mixtures)
        : changes.Length == 0 && mixtures.Length == 0 ? this
        : _segments.GetOrAdd((changes, mixtures), key => new NodeRun(this, key.Changes, key.Mixtures));

    /// <inheritdoc cref="In(string, string)"/>
    public NodeRun In(Coordination.Segment segment) => In(segment.Changes, segment.Mixtures);

    public RunSchedule Schedule { get; }

    public TrainingSettings Settings => Schedule.Settings;

    public BuiltCorpus Corpus => Schedule.Corpus;

    public RunPlan Plan => Schedule.Plan;

    /// <summary>CPU devices that compute one replica, as its settings say.</summary>
    public int MostDevices => Settings.Run.DevicesPerReplica is > 0 and var most ? most : int.MaxValue;

    /// <summary>As its settings say.</summary>
    public int Priority => Plan.Priority;

    /// <summary>Devices that have work in a step, at most: those of a split share micro-batches, more lend their threads.</summary>
    public int Pieces => Settings.Batch.MicroBatches * Context.Split.Devices;

    /// <summary>The settings in canonical form, as the journal has them.</summary>
    public string SettingsCanonical { get; }

    public Digest CorpusId { get; }

    public IArchitecture Architecture { get; }

    public IOptimizer Optimizer { get; }

    /// <summary>In what its training steps keep their numbers.</summary>
    public Precision Precision { get; }

    /// <summary>The vectors of a replica's inner state, by name.</summary>
    public IReadOnlyList<string> InnerVectors => [.. Optimizer.Vectors, .. Precision.Vectors];

    /// <summary>How a replica's model is to be split over its devices.</summary>
    public ReplicaSplit Split => Context.Split;

    /// <summary>How much of that is in use.</summary>
    /// <param name="devices">Devices that the replica has.</param>
    public SplitInUse SplitOver(int devices) =>
        (_opened ?? this)._splits.GetOrAdd(devices, count => SplitInUse.Of(Split, count, Architecture));

    /// <inheritdoc cref="SplitInUse.GroupSizes"/>
    public IReadOnlyList<int> GroupSizes { get; }

    /// <summary>The stage of ZeRO of this node's replicas.</summary>
    public int Zero => Context.Zero;

    /// <summary>Which vectors of a replica lie in files; null for none.</summary>
    public FileOffload? Offload =>
        Context.Offload == OffloadMode.File ? FileOffload.Of(Paths.Offload, Optimizer, Precision) : null;

    public FlatLayout Layout { get; }

    /// <summary>What the nodes of other stages of a replica are connected by.</summary>
    public StageConnections Stages => Context.Stages;

    /// <inheritdoc cref="ComputedReplicas"/>
    public ComputedReplicas Computed { get; } = new();

    /// <summary>What its steps, and the pieces of its evaluations, take here.</summary>
    public PieceTimes PieceTimes { get; } = new();

    /// <summary>Reads training blocks, or held-out ones.</summary>
    public BlockReader Reader(bool heldOut) =>
        new(Context.Readers, Context.Corpora, Corpus, heldOut ? Schedule.HeldOut! : Schedule.Train, heldOut);

    /// <summary>Keeps the tokenizer's file in the run's folder, where the tokenizer came from a file.</summary>
    /// <exception cref="BlobLostException">It is not here, and no node has it.</exception>
    public Task KeepTokenizerAsync() => Context.Corpora.CopyTokenizerAsync(Corpus, Paths.Run(Id), CancellationToken.None);

    /// <summary>Fetches the blobs of a vector set that are missing here.</summary>
    /// <exception cref="BlobLostException">No node has a blob that is missing.</exception>
    public Task FetchAsync(Digest set, CancellationToken cancel) =>
        Fetcher.FetchSetAsync(Blobs, set, Layout.TrainedLength, Layout.FrozenLength, cancel);

    /// <summary>Fetches the blobs of a vector set's parameters that are missing here.</summary>
    /// <exception cref="BlobLostException">No node has a blob that is missing.</exception>
    public Task FetchParametersAsync(Digest set, CancellationToken cancel) =>
        Fetcher.FetchVectorAsync(Blobs, set, VectorSet.Parameters, Layout.TrainedLength, Layout.FrozenLength, cancel);

    /// <summary>Fetches the chunks of some vectors of a set that hold what a stage needs, where they are missing here.</summary>
    /// <exception cref="BlobLostException">No node has a blob that is missing.</exception>
    public Task FetchAsync(Digest set, IEnumerable<string> vectors, StageShare share, CancellationToken cancel) =>
        Fetcher.FetchChunksAsync(
            Blobs, set, [.. vectors.Select(v => (v, (IReadOnlyList<int>)[.. VectorStore.ChunksOf(share.RangesOf(v))]))],
            Layout.TrainedLength, cancel);

    /// <summary>
    /// Fetches the blobs of a vector set's parameters that are missing here, where other stores of this process may have them, whose blobs
    /// last only as long as their run needs them: what is there is copied, and the rest fetched.
    /// </summary>
    /// <exception cref="BlobLostException">No node has a blob that is missing.</exception>
    public async Task CopyParametersAsync(Digest set, CancellationToken cancel)
    {
        if (!await Task.Run(() => Blobs.CopySet(set, FindHere), cancel))
            await FetchParametersAsync(set, cancel);
    }

    /// <summary>Fetches the frozen parameters of a version, where they are missing here.</summary>
    /// <returns>Their set; null where the version names none.</returns>
    /// <exception cref="BlobLostException">No node has a blob that is missing.</exception>
    public Task<Digest?> FetchFrozenAsync(Digest version) =>
        Fetcher.FetchFrozenAsync(Blobs, version, Layout.TrainedLength, Layout.FrozenLength, CancellationToken.None);

    /// <summary>Reads a blob of known length from here, or else from another node, without storing it.</summary>
    /// <param name="set">The set of the blob: a node that has one blob of a set has the others, too.</param>
    /// <returns>Bytes that came from another node.</returns>
    public async Task<long> ReadAsync(Digest blob, Memory<byte> into, Digest set)
    {
        if (Blobs.IsSound(blob))
        {
            await Task.Run(() => Blobs.Read(blob, into.Span));
            return 0;
        }

        await Fetcher.ReadAsync(blob, into, set, CancellationToken.None);
        return into.Length;
    }
}
