using System.Numerics;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// What training takes of a machine's memory, added up from its parts before anything is allocated (tests/Model measures it: within a
/// fifth). Numbers of bytes are doubles, because settings may ask for more than 64 bits can count.
/// </summary>
/// <param name="VectorBytes">
/// Parameters, their working copy, and the optimizer's vectors of the trained ones, once per replica, and what an update needs besides.
/// </param>
/// <param name="GradientBytes">Sums of gradients, per device.</param>
/// <param name="ActivationBytes">What a forward pass keeps for the backward pass, per device.</param>
public sealed record TrainingMemory(double VectorBytes, double GradientBytes, double ActivationBytes)
{
    /// <summary>All of it.</summary>
    public double Bytes => VectorBytes + GradientBytes + ActivationBytes;

    /// <summary>Each part, in words.</summary>
    public string Parts => $"parameters and moments {ByteSize.Text(VectorBytes)}, gradients {ByteSize.Text(GradientBytes)}, " +
                           $"activations {ByteSize.Text(ActivationBytes)}";

    /// <summary>Of a replica in training on some devices of one machine, which share its vectors.</summary>
    public static TrainingMemory OfReplica(TrainingSettings settings, int devices)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentOutOfRangeException.ThrowIfLessThan(devices, 1);
        var architecture = Architectures.Open(settings.Model);
        var layout = new FlatLayout(architecture.Parameters);
        var (parameters, trained) = ((double)layout.Length * sizeof(float), (double)layout.TrainedLength * sizeof(float));
        var microBatches = (settings.Batch.MicroBatches + devices - 1) / devices;
        var rows = (int)Math.Min((long)settings.Batch.Micro * settings.Model.Context, int.MaxValue);
        var group = MicroBatchGroups.Size(rows, architecture.Vocabulary, microBatches);
        // A binary counter of partial sums, and the newest, of groups of micro-batches; the right half of a pair is added to the left one.
        var sums = BitOperations.Log2((uint)((microBatches + group - 1) / group)) + 1;
        var (optimizer, threads) = (Optimizers.Open(settings.Optimizer), Environment.ProcessorCount);
        var precision = Precision.Of(settings.Run.Precision, architecture, optimizer);
        var workingCopy = precision.IsNarrow ? parameters / 2 : 0;
        return new TrainingMemory(
            parameters + workingCopy + optimizer.Vectors.Count * trained + devices * optimizer.WorkspaceBytes(layout, threads),
            devices * sums * trained,
            devices * CpuNetwork.TrainingBytes(
                architecture, group * settings.Batch.Micro, settings.Model.Context, threads,
                settings.Batch.Recompute, precision));
    }

    /// <summary>Of a process that trains alone: as many replicas at once as it has devices for, which share them evenly.</summary>
    public static TrainingMemory OfAll(TrainingSettings settings, int devices)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var atOnce = Math.Min(settings.Run.Replicas, devices);
        var replica = OfReplica(settings, Math.Clamp(devices / atOnce, 1, settings.Batch.MicroBatches));
        return new TrainingMemory(atOnce * replica.VectorBytes, atOnce * replica.GradientBytes, atOnce * replica.ActivationBytes);
    }

    /// <summary>
    /// Null where it fits; otherwise a sentence with the parts, and with the settings that the largest of them follows from.
    /// </summary>
    /// <param name="freeBytes">What the process may still take.</param>
    public string? Problem(TrainingSettings settings, double freeBytes)
    {
        ArgumentNullException.ThrowIfNull(settings);
        if (Bytes <= freeBytes)
            return null;
        var (model, batch) = (settings.Model, settings.Batch);
        var knobs = ActivationBytes >= VectorBytes + GradientBytes
            ? (batch.Recompute == RecomputeMode.None ? "set batch.recompute = blocks, " : "") +
              $"lower batch.micro ({batch.Micro}) or model.context ({model.Context})"
            : $"lower model.width ({model.Width}) or model.layers ({model.Layers})";
        return $"training needs {ByteSize.Text(Bytes)} of memory here, and {ByteSize.Text(freeBytes)} are free ({Parts}): " +
               $"{knobs}, use fewer devices (node.devices), or free some memory";
    }
}
