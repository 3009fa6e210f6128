using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Splits;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// What each of a replica's devices holds of the replica's vectors and gradients, and what it sends, as ZeRO (Rajbhandari et al. 2020,
/// sections 5 and 7) counts it. Bytes are doubles, because settings may ask for more than 64 bits can count. With P parameters, N of them
/// trained, V vectors of the optimizer, D devices, b partial sums of gradients at a time (1 + log2 of the passes of a device, at most):
///
///                     no ZeRO       ZeRO-1            ZeRO-2
///   parameters        4 P           4 P / D           4 P / D           fp32: they are the master
///   master            4 P           4 P / D           4 P / D           16 bits
///   working copy      2 P           2 P / D           2 P / D           16 bits
///   moments           4 V N         4 V N / D         4 V N / D
///   gradients         4 b N         4 b N             4 b N / D
///   bucket            0             0                 4 times the largest parameter
///   sent              4 N (D-1)/D   for each root     for each pass
///
/// A pipeline of p stages has one sum of gradients for p devices, whatever ZeRO says: 4 b N / p, of all micro-batches of the pipeline. So
/// has a tensor group.
///
/// CPU devices share the machine's memory: what a replica has once, its parameters too, counts for each by its part. So they are never
/// below ZeRO-1; no ZeRO is what devices would hold that share nothing. Activations and the rows of embeddings come on top.
/// </summary>
/// <param name="ParameterBytes">Parameters that are their own master; 0 in 16 bits.</param>
/// <param name="WorkingCopyBytes">What products read in 16 bits.</param>
/// <param name="MasterBytes">Parameters in fp32 beside a working copy.</param>
/// <param name="MomentBytes">The optimizer's vectors.</param>
/// <param name="GradientBytes">Sums of gradients.</param>
/// <param name="BucketBytes">The part of a micro-batch's gradient that is made and reduced at a time.</param>
/// <param name="MirrorBytes">Parameters, master and moments once more, where slices are mirrored.</param>
/// <param name="FileBytes">How much of master, moments and mirror lies in files, and is in memory piece by piece (offload).</param>
/// <param name="PieceBytes">
/// What of the files is in memory at a time: the pieces that an update works on, and tables of embeddings that passes read rows of.
/// </param>
/// <param name="SentBytes">Gradients that other devices get of this one in a step.</param>
public sealed record DeviceBudget(
    double ParameterBytes, double WorkingCopyBytes, double MasterBytes, double MomentBytes, double GradientBytes, double BucketBytes,
    double MirrorBytes, double FileBytes, double PieceBytes, double SentBytes)
{
    /// <summary>Bytes of memory, all together.</summary>
    public double Bytes => VectorBytes + GradientBytes + BucketBytes;

    /// <summary>Bytes of memory of the replica's vectors.</summary>
    public double VectorBytes => ParameterBytes + WorkingCopyBytes + MasterBytes + MomentBytes + MirrorBytes - FileBytes + PieceBytes;

    /// <summary>The budget of a run.</summary>
    /// <param name="devices">Devices of a replica, D.</param>
    /// <param name="zero">The stage: 0 for none, 1 or 2.</param>
    /// <param name="offload">Where master and moments lie.</param>
    /// <param name="stages">Stages of a pipeline, p; 1 for none.</param>
    /// <param name="tensor">Devices that share each layer; 1 for none.</param>
    public static DeviceBudget Of(
        TrainingSettings settings, int devices, int zero, OffloadMode offload, int stages = 1, int tensor = 1)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var architecture = Architectures.Open(settings.Model);
        var optimizer = Optimizers.Open(settings.Optimizer);
        var rows = (int)Math.Min((long)settings.Batch.Micro * settings.SampleTokens, int.MaxValue);
        return Of(
            architecture, optimizer.Vectors.Count, Precision.Of(settings.Run.Precision, architecture, optimizer),
            settings.Batch.MicroBatches, rows, devices, zero, offload, settings.Optimizer.MirrorSlices, stages, tensor);
    }

    /// <summary>The budget of a network.</summary>
    /// <param name="moments">Vectors of the optimizer, V.</param>
    /// <param name="microBatches">Micro-batches of a step, M.</param>
    /// <param name="rowsOfMicroBatch">Tokens of a micro-batch.</param>
    /// <param name="mirrors">Slices are mirrored; one device has no neighbour for that.</param>
    /// <inheritdoc cref="Of(TrainingSettings, int, int, OffloadMode, int, int)" path="/param"/>
    public static DeviceBudget Of(
        IArchitecture architecture, int moments, Precision precision, int microBatches, int rowsOfMicroBatch, int devices, int zero,
        OffloadMode offload, bool mirrors = false, int stages = 1, int tensor = 1)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        ArgumentNullException.ThrowIfNull(precision);
        ArgumentOutOfRangeException.ThrowIfLessThan(microBatches, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(devices, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(zero, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(stages, 1);
        var layout = new FlatLayout(architecture.Parameters);
        var ofGroup = stages * tensor;
        var (groups, inGroups) = (Math.Max(1, devices / ofGroup), ofGroup > 1);
        var (all, trained) = ((double)layout.Length * sizeof(float), (double)layout.TrainedLength * sizeof(float));
        var (part, most) = (zero == 0 ? 1.0 : devices, Math.Max(1, microBatches / devices));
        // Where each device's range of micro-batches ends, they go through the network in ranges; where all reduce together, in turns.
        var passes = zero == 2 && !inGroups
            ? [MicroBatchGroups.Nodes(0, microBatches, MicroBatchGroups.Size(rowsOfMicroBatch, architecture.Vocabulary, most))]
            : Enumerable.Range(0, groups).Select(rank => MicroBatchGroups.Nodes(
                (int)((long)microBatches * rank / groups), (int)((long)microBatches * (rank + 1) / groups),
                MicroBatchGroups.Size(rowsOfMicroBatch, architecture.Vocabulary, stages > 1
                    ? PipelineAccumulation.MostTogether(microBatches / groups, stages)
                    : (microBatches + groups - 1) / groups))).ToList();
        var (sums, roots) = (passes.Max(p => GradientTree.MostSums(p).Most), passes.Max(p => GradientTree.MostSums(p).Left));
        var (master, moment) = (all / part, moments * trained / part);
        var file = offload == OffloadMode.File ? moment + (precision.IsNarrow ? master : 0) : 0;
        var tape = Record(architecture, layout);
        // The system may keep a whole table in memory for some of its rows.
        var tables = tape.Operations.Where(o => o.Inputs.Count == 0).SelectMany(o => o.Parameters).Distinct().Sum(p => layout[p].Count);
        var copies = mirrors && devices > 1 ? 2 : 1;
        var vectors = moments + (precision.IsNarrow ? 1 : 0);
        return new DeviceBudget(
            ParameterBytes: precision.IsNarrow ? 0 : master,
            WorkingCopyBytes: precision.IsNarrow ? master / 2 : 0,
            MasterBytes: precision.IsNarrow ? master : 0,
            MomentBytes: moment,
            GradientBytes: inGroups ? sums * trained / ofGroup : zero == 2 ? sums * trained / devices : sums * trained,
            BucketBytes: zero == 2 && !inGroups ? sizeof(float) * (double)GradientBuckets.Of(tape).Elements : 0,
            MirrorBytes: (copies - 1) * (master + moment),
            FileBytes: copies * file,
            PieceBytes: offload == OffloadMode.None ? 0
                : Math.Min(file, (double)vectors * FileOffload.PieceElements * sizeof(float))
                  + (precision.IsNarrow ? sizeof(float) * (double)tables / part : 0),
            SentBytes: trained * (devices - 1) / devices
                * (inGroups ? (double)roots / ofGroup : zero == 2 ? (double)passes[0].Count / devices : roots));
    }

    private static Tape Record(IArchitecture architecture, FlatLayout layout)
    {
        var tape = new Tape(TapePurpose.Training, new BatchShape(1, 1, 1, Math.Min(1, architecture.SourceContext)), layout);
        architecture.Record(tape);
        return tape;
    }
}
