using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Storage;

namespace Elastic.Actors.Nodes;

/// <summary>What a run is on this node under the settings of one segment, and how the node computes its replicas. Nothing of it changes.
/// </summary>
internal sealed class RunSetup
{
    /// <param name="sharing">How this node computes a replica.</param>
    /// <exception cref="ElasticException">The model does not fit the corpus, or does not train in its precision.</exception>
    public RunSetup(NodeCommand.OpenRun run, ReplicaSharing sharing, DataPaths paths, BuiltCorpus corpus)
    {
        (Id, SettingsCanonical, CorpusId, Sharing, Paths) = (run.RunId, run.Settings, run.Corpus, sharing, paths);
        Schedule = new RunSchedule(run.Settings, corpus);
        Architecture = Architectures.Open(Settings.Model);
        Optimizer = Optimizers.Open(Settings.Optimizer);
        Precision = Precision.Of(Settings.Run.Precision, Architecture, Optimizer);
        Layout = new FlatLayout(Architecture.Parameters);
        Splits = new RunSplits(ReplicaSplit.Parse(sharing.Split), Architecture);
    }

    // Only what the settings that may change decide is made anew.
    private RunSetup(RunSetup run, string changes, string mixtures)
    {
        (Id, CorpusId, Sharing, Paths) = (run.Id, run.CorpusId, run.Sharing, run.Paths);
        (Architecture, Layout, Splits) = (run.Architecture, run.Layout, run.Splits);
        Schedule = run.Schedule.In(changes, mixtures);
        SettingsCanonical = SettingsText.Write(Settings);
        Optimizer = Optimizers.Open(Settings.Optimizer);
        Precision = Precision.Of(Settings.Run.Precision, Architecture, Optimizer);
    }

    /// <summary>The set-up of another segment of the run; to be asked of the set-up that the run was opened with.</summary>
    /// <exception cref="ElasticException">The changes are none that may be made, or cannot be used together.</exception>
    public RunSetup In(string changes, string mixtures) => new(this, changes, mixtures);

    public RunId Id { get; }

    public RunSchedule Schedule { get; }

    public TrainingSettings Settings => Schedule.Settings;

    public BuiltCorpus Corpus => Schedule.Corpus;

    public RunPlan Plan => Schedule.Plan;

    /// <summary>The settings in canonical form, as the journal has them.</summary>
    public string SettingsCanonical { get; }

    public Digest CorpusId { get; }

    public IArchitecture Architecture { get; }

    public FlatLayout Layout { get; }

    public IOptimizer Optimizer { get; }

    /// <summary>The precision in which training steps keep their numbers.</summary>
    public Precision Precision { get; }

    /// <summary>The vectors of a replica's inner state, by name.</summary>
    public IReadOnlyList<string> InnerVectors => [.. Optimizer.Vectors, .. Precision.Vectors];

    /// <summary>How this node computes a replica.</summary>
    public ReplicaSharing Sharing { get; }

    public DataPaths Paths { get; }

    /// <inheritdoc cref="RunSplits"/>
    public RunSplits Splits { get; }

    /// <summary>CPU devices that compute one replica, as the settings say.</summary>
    public int MostDevices => Settings.Run.DevicesPerReplica is > 0 and var most ? most : int.MaxValue;

    /// <summary>Devices that have work in a step, at most: those of a split share micro-batches, more lend their threads.</summary>
    public int Pieces => Settings.Batch.MicroBatches * Splits.Asked.Devices;

    /// <summary>Which vectors of a replica lie in files; null for none.</summary>
    public FileOffload? Offload =>
        Sharing.Offload == OffloadMode.File ? FileOffload.Of(Paths.Offload, Optimizer, Precision) : null;
}
