using Elastic.Messages.Nodes;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Splits;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// How a machine's CPU devices train: how many replicas at once, on how many devices each, and what a step takes of each device. Memory is
/// that of the vectors (<see cref="DeviceBudget"/>) and of the pass (<see cref="PassPlan"/>), which is planned here as it is allocated
/// later.
/// </summary>
public sealed record TrainingPlan
{
    private TrainingPlan(TrainingSettings settings) => Settings = settings;

    /// <summary>Settings of the run.</summary>
    public TrainingSettings Settings { get; }

    /// <summary>Plans of the replicas that train at once besides this one, each with as many devices or fewer.</summary>
    public IReadOnlyList<TrainingPlan> Others { get; private init; } = [];

    /// <summary>Plans of all replicas that train at once, the one with the most devices first.</summary>
    public IReadOnlyList<TrainingPlan> AtOnce => [this, .. Others];

    /// <summary>Replicas that train at once.</summary>
    public int Replicas => 1 + Others.Count;

    /// <summary>Devices of the machine, which they share.</summary>
    public required int DevicesOfAll { get; init; }

    /// <summary>Devices that compute a replica: no more than it has micro-batches in a step, see <see cref="LentThreads"/>.</summary>
    public int Devices => Threads.Count;

    /// <summary>Devices that a replica is given, with one that has no micro-batch perhaps.</summary>
    public required int Given { get; init; }

    /// <summary>Threads of each of those by itself.</summary>
    public required int ThreadsOfEach { get; init; }

    /// <summary>The stage of ZeRO.</summary>
    public required int Zero { get; init; }

    /// <summary>How the model is to be split over the devices of a replica.</summary>
    public required ReplicaSplit Split { get; init; }

    /// <summary>How much of that they have.</summary>
    public required SplitInUse InUse { get; init; }

    /// <summary>What goes through a device one after another in a step.</summary>
    public required int Units { get; init; }

    /// <summary>The share of the time in which a stage of a pipeline waits for others; 0 where there is none.</summary>
    public double Bubble => PipelineSchedule.Bubble(InUse.Stages, Units, InUse.Chunks);

    /// <summary>
    /// Bytes of activations and their gradients that a stage gives its neighbours in a step, or a rank copies of the others: of the one
    /// that has the most.
    /// </summary>
    public double CutBytes => Pass.CutBytesOfMicroBatch * MicroBatchesOf(Settings, Groups);

    /// <summary>Memory of the device that takes the most.</summary>
    public double MostBytesOfDevice => BytesOfDevice + Math.Max(0, Pass.MostBytes - Pass.Bytes);

    /// <summary>
    /// Floating-point operations that are done one after another in a step, those of the others while a stage waits included: what the
    /// time of a step goes with.
    /// </summary>
    public double FlopsInTurn => FlopsOfStep / (1 - Bubble);

    /// <summary>Where master and moments lie.</summary>
    public required OffloadMode Offload { get; init; }

    /// <summary>The threads of each device that computes.</summary>
    public required IReadOnlyList<int> Threads { get; init; }

    /// <summary>What each device has of the replica's vectors and gradients.</summary>
    public required DeviceBudget Vectors { get; init; }

    /// <summary>What a pass of a device takes.</summary>
    public required PassPlan Pass { get; init; }

    /// <summary>Micro-batches that go through the network together.</summary>
    public required int Together { get; init; }

    /// <summary>Bytes of sums of embeddings' rows, of a device.</summary>
    public required double EmbeddingBytes { get; init; }

    /// <summary>Bytes that an update of a device needs besides its vectors.</summary>
    public required double UpdateBytes { get; init; }

    /// <summary>Floating-point operations of products in a step of a device: of the most micro-batches that one has.</summary>
    public double FlopsOfStep => Pass.FlopsOfMicroBatch * MicroBatchesOf(Settings, Groups);

    /// <summary>Bytes that a replica hands to the averaging; those of a version.</summary>
    public required double ContributionBytes { get; init; }

    /// <summary>Bytes of the optimizer's vectors of a replica, which go to its next node.</summary>
    public required double InnerStateBytes { get; init; }

    // Devices that compute other micro-batches.
    private int Groups => Math.Max(1, Devices / InUse.Devices);

    /// <summary>Bytes of memory that a device takes; in a pipeline, on average.</summary>
    public double BytesOfDevice => Vectors.Bytes + UpdateBytes + EmbeddingBytes + Pass.Bytes;

    /// <summary>What all of it takes of the machine.</summary>
    public TrainingMemory Memory
    {
        get
        {
            var all = AtOnce;
            return new TrainingMemory(
                all.Sum(p => p.Devices * (p.Vectors.VectorBytes + p.UpdateBytes)),
                all.Sum(p => p.Devices * (p.Vectors.GradientBytes + p.Vectors.BucketBytes)),
                all.Sum(p => p.Devices * (p.EmbeddingBytes + p.Pass.Bytes)));
        }
    }

    /// <summary>The plan of a replica on some devices of one machine, which share its vectors.</summary>
    /// <param name="devices">Devices that the replica is given.</param>
    /// <param name="threads">Threads of each device by itself; 0 for one for each core.</param>
    /// <param name="zero">As node.zero.</param>
    /// <param name="offload">As node.offload.</param>
    /// <param name="split">As node.split; null for none.</param>
    public static TrainingPlan OfReplica(
        TrainingSettings settings, int devices, int threads = 0, int zero = 1, OffloadMode offload = OffloadMode.None,
        ReplicaSplit? split = null)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentOutOfRangeException.ThrowIfLessThan(devices, 1);
        var (architecture, optimizer, batch) = (Architectures.Open(settings.Model), Optimizers.Open(settings.Optimizer), settings.Batch);
        var (layout, precision) = (new FlatLayout(architecture.Parameters), Precision.Of(settings.Run.Precision, architecture, optimizer));
        var own = threads > 0 ? threads : Environment.ProcessorCount;
        var asked = split ?? ReplicaSplit.None;
        var lent = LentThreads.Of(devices, own, batch.MicroBatches * asked.Devices);
        var inUse = SplitInUse.Of(asked, lent.Count, architecture);
        var (groups, context) = (Math.Max(1, lent.Count / inUse.Devices), settings.SampleTokens);
        var microBatches = MicroBatchesOf(settings, groups);
        var rows = (int)Math.Min((long)batch.Micro * context, int.MaxValue);
        // With ZeRO-2 all devices reduce together, pass by pass.
        var together = MicroBatchGroups.Size(
            rows, architecture.Vocabulary,
            inUse.Stages > 1 ? PipelineAccumulation.MostTogether(batch.MicroBatches / groups, inUse.Stages)
            : zero == 2 && inUse.Tensor == 1 ? Math.Max(1, batch.MicroBatches / lent.Count) : microBatches);
        var units = (microBatches + together - 1) / together;
        var pass = PassPlan.Of(
            architecture, new BatchShape(together, batch.Micro, context), lent[0], batch.Recompute, precision, inUse.Stages, units,
            inUse.Tensor, inUse.Chunks);
        var budget = DeviceBudget.Of(settings, lent.Count, zero, offload, inUse.Stages, inUse.Tensor);
        return new TrainingPlan(settings)
        {
            Given = devices,
            DevicesOfAll = devices,
            ThreadsOfEach = own,
            Zero = zero,
            Offload = offload,
            Split = asked,
            InUse = inUse,
            Units = units,
            Threads = lent,
            Vectors = budget,
            Pass = pass,
            Together = together,
            EmbeddingBytes = SumsOfRows(
                pass, architecture, rows, budget.GradientBytes * inUse.Devices / (layout.TrainedLength * sizeof(float)), microBatches,
                together),
            ContributionBytes = (double)layout.TrainedLength * sizeof(float),
            InnerStateBytes = (double)optimizer.Vectors.Count * layout.TrainedLength * sizeof(float),
            UpdateBytes = optimizer.WorkspaceBytes(layout, lent[0]),
        };
    }

    /// <summary>The plan of a process that trains alone: as many replicas at once as it has devices for.</summary>
    /// <inheritdoc cref="OfReplicas" path="/param"/>
    public static TrainingPlan OfAll(
        TrainingSettings settings, int devices, int threads = 0, int zero = 1, OffloadMode offload = OffloadMode.None,
        ReplicaSplit? split = null)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return OfReplicas(settings, Math.Min(settings.Run.Replicas, devices), devices, threads, zero, offload, split);
    }

    /// <summary>
    /// The plan of replicas that train at once on one machine, whose devices they share as the node gives them out
    /// (<see cref="DeviceGroups"/>): 2 and 3 of 5, and 4 and 2 of 6 where two share each layer.
    /// </summary>
    /// <param name="replicas">No more than devices.</param>
    /// <param name="devices">Devices of the machine.</param>
    /// <inheritdoc cref="OfReplica" path="/param"/>
    public static TrainingPlan OfReplicas(
        TrainingSettings settings, int replicas, int devices, int threads, int zero, OffloadMode offload, ReplicaSplit? split)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var groups = new DeviceGroups(SplitInUse.GroupSizes(split ?? ReplicaSplit.None, Architectures.Open(settings.Model)));
        var shares = groups.SharesOf(devices, replicas, settings.Run.DevicesPerReplica is > 0 and var few ? few : devices);
        var plans = shares.Distinct().ToDictionary(s => s, s => OfReplica(settings, s, threads, zero, offload, split));
        List<TrainingPlan> all = [.. shares.OrderDescending().Select(s => plans[s])];
        return all[0] with { Others = all[1..], DevicesOfAll = devices };
    }

    private static int MicroBatchesOf(TrainingSettings settings, int devices) => (settings.Batch.MicroBatches + devices - 1) / devices;

    // Where a device has several passes, a sum of rows grows by the tokens of each, up to the vocabulary, and is copied as it grows.
    private static double SumsOfRows(
        PassPlan pass, IArchitecture architecture, int rowsOfMicroBatch, double sums, int microBatches, int together)
    {
        if (microBatches <= together)
            return 0;
        var rows = (double)rowsOfMicroBatch * (architecture.SourceContext > 0 ? 2 : 1);
        var bytesOfRow = pass.EmbeddingBytes / (together * rows);
        // Each subtree that waits is of half as many micro-batches as the one before, at most.
        return 2 * bytesOfRow * Enumerable.Range(0, (int)sums).Sum(
            i => Math.Min(microBatches * rows / (1L << i), architecture.Vocabulary));
    }
}
