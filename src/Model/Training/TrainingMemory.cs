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
    /// <inheritdoc cref="DeviceBudget.Of(TrainingSettings, int, int, OffloadMode)" path="/param"/>
    public static TrainingMemory OfReplica(
        TrainingSettings settings, int devices, int zero = 1, OffloadMode offload = OffloadMode.None)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentOutOfRangeException.ThrowIfLessThan(devices, 1);
        var architecture = Architectures.Open(settings.Model);
        var layout = new FlatLayout(architecture.Parameters);
        var microBatches = (settings.Batch.MicroBatches + devices - 1) / devices;
        var rows = (int)Math.Min((long)settings.Batch.Micro * settings.Model.Context, int.MaxValue);
        var group = MicroBatchGroups.Size(rows, architecture.Vocabulary, microBatches);
        var (optimizer, threads) = (Optimizers.Open(settings.Optimizer), Environment.ProcessorCount);
        var precision = Precision.Of(settings.Run.Precision, architecture, optimizer);
        var budget = DeviceBudget.Of(settings, devices, zero, offload);
        return new TrainingMemory(
            devices * (budget.VectorBytes + optimizer.WorkspaceBytes(layout, threads)),
            devices * (budget.GradientBytes + budget.BucketBytes),
            devices * CpuNetwork.TrainingBytes(
                architecture, group * settings.Batch.Micro, settings.Model.Context, threads,
                settings.Batch.Recompute == RecomputeMode.Blocks, precision));
    }

    /// <summary>Of a process that trains alone: as many replicas at once as it has devices for, which share them evenly.</summary>
    /// <inheritdoc cref="OfReplica" path="/param"/>
    public static TrainingMemory OfAll(
        TrainingSettings settings, int devices, int zero = 1, OffloadMode offload = OffloadMode.None)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var atOnce = Math.Min(settings.Run.Replicas, devices);
        var replica = OfReplica(settings, Math.Clamp(devices / atOnce, 1, settings.Batch.MicroBatches), zero, offload);
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
