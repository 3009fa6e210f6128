using Elastic.Actors.Blobs;
using Elastic.Actors.Corpora;
using Elastic.Actors.Runs;
using Elastic.Actors.Transfer;
using Elastic.Corpus;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Settings;
using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes;

/// <summary>What a node knows of a run that it works for. Immutable; shared by all of the node's actors.</summary>
internal sealed class NodeRun
{
    private readonly ReaderWay _readers;
    private readonly CorpusFiles _corpora;

    /// <exception cref="ElasticException">The model does not fit the corpus.</exception>
    /// <param name="blobs">The run's blobs when it was open before: only one store may know what is fresh.</param>
    public NodeRun(NodeCommand.OpenRun run, NodePlace place, BuiltCorpus corpus, BlobStore? blobs = null)
    {
        Id = run.RunId;
        Node = place.Node;
        Settings = SettingsText.Read(run.Settings);
        SettingsCanonical = run.Settings;
        CorpusId = run.Corpus;
        Paths = place.Paths;
        Corpus = corpus;
        Fetcher = place.Fetcher;
        Faults = place.Faults;
        _readers = place.Readers;
        _corpora = place.Corpora;
        Train = new BlockMap(Corpus.TrainShards, Settings.Model.Context);
        var context = Settings.Model.Context;
        HeldOut = Corpus.HeldOutShards.Any(s => BlockMap.CountIn(s.Tokens, context) > 0) ? new BlockMap(Corpus.HeldOutShards, context) : null;
        Plan = RunPlan.Of(Settings, Train.Blocks, HeldOut?.Blocks ?? 0);
        Order = new SampleOrder(Settings.Run.Seed, Train.Blocks);
        Layout = new FlatLayout(Settings.Model);
        Blobs = blobs ?? new BlobStore(place.Paths.Blobs(run.RunId));
    }

    public RunId Id { get; }

    public NodeId Node { get; }

    public TrainingSettings Settings { get; }

    /// <summary>The settings as the journal has them.</summary>
    public string SettingsCanonical { get; }

    public Digest CorpusId { get; }

    public DataPaths Paths { get; }

    public BuiltCorpus Corpus { get; }

    /// <summary>Training blocks.</summary>
    public BlockMap Train { get; }

    /// <summary>Held-out blocks; null where the held-out text does not fill one.</summary>
    public BlockMap? HeldOut { get; }

    public RunPlan Plan { get; }

    public SampleOrder Order { get; }

    public FlatLayout Layout { get; }

    public BlobStore Blobs { get; }

    /// <summary>Gets from other nodes what is not here.</summary>
    public BlobFetcher Fetcher { get; }

    /// <inheritdoc cref="NodeFaults"/>
    public NodeFaults Faults { get; }

    /// <summary>Reads training blocks, or held-out ones.</summary>
    public BlockReader Reader(bool heldOut) => new(_readers, _corpora, Corpus, heldOut ? HeldOut! : Train, heldOut, Settings.Model.Context);

    /// <summary>Makes a vector set whole here.</summary>
    /// <exception cref="BlobLostException">No node has what is lacking.</exception>
    public Task FetchAsync(Digest set) => Fetcher.FetchSetAsync(Blobs, set, CancellationToken.None);

    /// <summary>Reads a blob of known length from here, or else from another node, without keeping it.</summary>
    public Task ReadAsync(Digest blob, Memory<byte> into)
    {
        if (!Blobs.Has(blob))
            return Fetcher.ReadAsync(blob, into, CancellationToken.None);
        return Task.Run(() => Blobs.Read(blob, into.Span));
    }

    /// <summary>The blocks of one inner step of a replica, in the order in which they are read.</summary>
    public long[] BlocksOf(int round, int replica, int step)
    {
        var blocks = new long[Plan.Sequences];
        for (var i = 0; i < blocks.Length; i++)
            blocks[i] = Order.BlockAt(SamplePositions.Of(round, replica, step, i, Plan.InnerSteps, Plan.Replicas, Plan.Sequences));
        return blocks;
    }
}
