using Elastic.Actors.Blobs;
using Elastic.Actors.Runs;
using Elastic.Corpus;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Settings;
using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes;

/// <summary>What a node knows of a run that it works for. Immutable; shared by all of the node's actors.</summary>
public sealed class NodeRun
{
    /// <exception cref="ElasticException">The corpus is not there, or the model does not fit it.</exception>
    /// <param name="blobs">The run's blobs when it was open before: only one store may know what is fresh.</param>
    public NodeRun(NodeCommand.OpenRun run, NodeId node, DataPaths paths, BlobStore? blobs = null)
    {
        Id = run.RunId;
        Node = node;
        Settings = SettingsText.Read(run.Settings);
        SettingsCanonical = run.Settings;
        CorpusId = run.Corpus;
        Paths = paths;
        Corpus = BuiltCorpus.Open(paths.Corpus(run.Corpus));
        Train = new BlockMap(Corpus.TrainShards, Settings.Model.Context);
        var context = Settings.Model.Context;
        HeldOut = Corpus.HeldOutShards.Any(s => BlockMap.CountIn(s.Tokens, context) > 0) ? new BlockMap(Corpus.HeldOutShards, context) : null;
        Plan = RunPlan.Of(Settings, Train.Blocks, HeldOut?.Blocks ?? 0);
        Order = new SampleOrder(Settings.Run.Seed, Train.Blocks);
        Layout = new FlatLayout(Settings.Model);
        Blobs = blobs ?? new BlobStore(paths.Blobs(run.RunId));
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

    /// <summary>The blocks of one inner step of a replica, in the order in which they are read.</summary>
    public long[] BlocksOf(int round, int replica, int step)
    {
        var blocks = new long[Plan.Sequences];
        for (var i = 0; i < blocks.Length; i++)
            blocks[i] = Order.BlockAt(SamplePositions.Of(round, replica, step, i, Plan.InnerSteps, Plan.Replicas, Plan.Sequences));
        return blocks;
    }
}
