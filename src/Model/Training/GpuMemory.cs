using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Splits;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// What a replica, or a stage of one, takes of its GPUs' memory (docs/splits.md, "What a GPU holds"). Vectors and sums of gradients are
/// those that are allocated. Activations are estimated by the plan of a CPU's pass (<see cref="PassPlan"/>), since a GPU's frees some
/// sooner, keeps some in 16 bits, and has a library's workspaces beside them.
/// </summary>
public static class GpuMemory
{
    /// <summary>
    /// Bytes of logits that a GPU's pass holds at once, in fp32, and in bf16 where that is the run's precision: 8,192 and 16,384 rows of
    /// GPT-2's vocabulary.
    /// </summary>
    public const long LogitBytesAtOnce = 2L << 30;

    /// <summary>Tokens of the vocabulary that the head's products in bf16 have a multiple of: rows of zeros make it one.</summary>
    public const int HeadMultiple = 64;

    /// <summary>
    /// The memory of a replica on each GPU, by the GPU's whole name, e.g. "cuda:0", also where the GPU is several devices.
    /// </summary>
    /// <param name="devices">Devices of the replica; its vectors lie on the first one.</param>
    /// <param name="split">As node.split.</param>
    public static IReadOnlyDictionary<DeviceId, TrainingMemory> OfReplica(
        TrainingSettings settings, IReadOnlyList<DeviceId> devices, ReplicaSplit split)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(devices);
        var (architecture, optimizer, batch) = (Architectures.Open(settings.Model), Optimizers.Open(settings.Optimizer), settings.Batch);
        var (layout, precision) = (new FlatLayout(architecture.Parameters), Precision.Of(settings.Run.Precision, architecture, optimizer));
        // A device without a micro-batch has no part in a step.
        devices = [.. devices.Take(batch.MicroBatches * split.Devices)];
        var inUse = SplitInUse.Of(split, devices.Count, architecture);
        var groups = devices.Count / inUse.Stages;
        int[] sums = [.. Enumerable.Range(0, groups).Select(group => MostSums(
            (int)((long)batch.MicroBatches * group / groups), (int)((long)batch.MicroBatches * (group + 1) / groups)))];
        var activations = ActivationsOf(
            settings, architecture, precision, inUse.Stages, (batch.MicroBatches + groups - 1) / groups, inUse.Chunks);
        var parts = inUse.Stages == 1 ? null : new StageParameters(architecture, layout, inUse.Stages * inUse.Chunks);
        var home = devices[0].Whole();
        // A mirror, which one device does without, lies beside what it mirrors.
        var copies = settings.Optimizer.MirrorSlices && devices.Count > 1 ? 2 : 1;
        return devices.Select((device, i) => (Gpu: device.Whole(), Needs: Of(device.Whole() == home, i)))
            .GroupBy(d => d.Gpu, d => d.Needs).ToDictionary(g => g.Key, g => new TrainingMemory(
                g.Sum(n => n.VectorBytes) + (g.Key == home
                    ? copies * sizeof(float) * ((double)layout.Length + (double)optimizer.Vectors.Count * layout.TrainedLength) : 0),
                g.Sum(n => n.GradientBytes), g.Sum(n => n.ActivationBytes)));

        // Of one device, beside the replica's vectors: what it reads of the parameters, copied where they lie on another GPU.
        TrainingMemory Of(bool isHome, int device)
        {
            // Devices beyond whole pipelines update only.
            if (device >= groups * inUse.Stages)
                return new TrainingMemory(0, (double)layout.TrainedLength / devices.Count * sizeof(float), 0);
            IEnumerable<int> pieces = Enumerable.Range(0, inUse.Chunks).Select(c => c * inUse.Stages + device % inUse.Stages);
            var held = parts is null ? layout.Length : pieces.Sum(p => parts.HeldBy(p).Sum(s => s.Count));
            var summed = sums[device / inUse.Stages] * (parts is null ? (double)layout.TrainedLength
                : pieces.Sum(p => parts.OwnedBy(p).Sum(s => s.Count))) + (parts is null ? 0 : (double)layout.TrainedLength / devices.Count);
            return new TrainingMemory(
                (double)held * ((isHome ? 0 : sizeof(float)) + (precision.IsNarrow ? NarrowBytes : 0)),
                summed * sizeof(float), activations[device % inUse.Stages]);
        }
    }

    /// <summary>The memory of a stage whose replica has its other stages on other nodes.</summary>
    /// <param name="stage">Number of the stage among <paramref name="stages"/>.</param>
    public static TrainingMemory OfStage(TrainingSettings settings, int stage, int stages)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var (architecture, optimizer) = (Architectures.Open(settings.Model), Optimizers.Open(settings.Optimizer));
        var (layout, precision) = (new FlatLayout(architecture.Parameters), Precision.Of(settings.Run.Precision, architecture, optimizer));
        var parts = new StageParameters(architecture, layout, stages);
        var (held, owned) = ((double)parts.HeldBy(stage).Sum(s => s.Count), (double)parts.OwnedBy(stage).Sum(s => s.Count));
        var sums = MostSums(0, settings.Batch.MicroBatches);
        return new TrainingMemory(
            held * (sizeof(float) + (precision.IsNarrow ? NarrowBytes : 0)) + owned * optimizer.Vectors.Count * sizeof(float),
            owned * sums * sizeof(float),
            ActivationsOf(settings, architecture, precision, stages, settings.Batch.MicroBatches, 1)[stage]);
    }

    /// <summary>A sentence where a GPU has no room for what is sure, whatever else is on it; null where it has.</summary>
    /// <param name="what">E.g. "a replica".</param>
    /// <param name="allBytes">Bytes of memory that the GPU has.</param>
    public static string? Refusal(TrainingMemory needs, string what, DeviceId gpu, double allBytes, TrainingSettings settings)
    {
        ArgumentNullException.ThrowIfNull(needs);
        var sure = needs.VectorBytes + needs.GradientBytes;
        return sure <= allBytes ? null
            : $"{gpu} has no room for {what}: {ByteSize.Text(sure)} of parameters, moments and gradients alone, and it has "
              + $"{ByteSize.Text(allBytes)}: {StagesOf(settings)}, or lower model.width or model.layers";
    }

    /// <summary>A sentence where a GPU may have no room, by the estimate; null where it has.</summary>
    /// <param name="freeBytes">Bytes of memory that are free on the GPU.</param>
    /// <inheritdoc cref="Refusal" path="/param"/>
    public static string? Warning(TrainingMemory needs, string what, DeviceId gpu, double freeBytes, TrainingSettings settings)
    {
        ArgumentNullException.ThrowIfNull(needs);
        ArgumentNullException.ThrowIfNull(settings);
        if (needs.Bytes <= freeBytes)
            return null;
        string?[] remedies =
        [
            settings.Batch.Micro > 1 ? $"lower batch.micro ({settings.Batch.Micro})" : null,
            settings.Batch.Recompute < RecomputeMode.Full
                ? $"set batch.recompute = {(settings.Batch.Recompute == RecomputeMode.None ? "blocks" : "full")}" : null,
            StagesOf(settings), "stop what else uses this GPU",
        ];
        return $"{gpu} may have no room for {what}: about {ByteSize.Text(needs.Bytes)} ({needs.Parts}), and {ByteSize.Text(freeBytes)} "
               + $"are free; if memory runs out, {string.Join(", or ", remedies.OfType<string>())}";
    }

    // As bf16 and fp16 take.
    private const int NarrowBytes = 2;

    // Each micro-batch has a sum of its own, beside those of the subtrees before it.
    private static int MostSums(int first, int end) =>
        GradientTree.MostSums(Enumerable.Range(first, end - first).Select(index => new TreeNode(index, 1)), inPlace: false).Most;

    // Of each stage. A micro-batch goes through a GPU alone, and a GPU has more rows of logits at once than a CPU.
    private static double[] ActivationsOf(
        TrainingSettings settings, IArchitecture architecture, Precision precision, int stages, int units, int chunks)
    {
        var (shape, recompute) = (new BatchShape(1, settings.Batch.Micro, settings.SampleTokens), settings.Batch.Recompute);
        var plans = stages == 1
            ? [PassPlan.Of(architecture, shape, 1, recompute, precision)]
            : PassPlan.OfStages(architecture, shape, 1, recompute, precision, stages, units, chunks);
        // Logits of fp16 are fp32.
        var logits = Math.Min(
            LogitBytesAtOnce,
            (double)shape.Sequences * shape.Tokens * architecture.Vocabulary * (precision == Precision.Bf16 ? NarrowBytes : sizeof(float)));
        // With rows of zeros behind them the head's weights are a copy, and their gradient is summed apart.
        var head = precision == Precision.Bf16 && architecture.Vocabulary % HeadMultiple != 0
            ? (double)architecture.Vocabulary * settings.Model.Width * (NarrowBytes + sizeof(float))
            : 0;
        return [.. plans.Select((plan, stage) => plan.Bytes - plan.LogitBytes + (stage == stages - 1 ? logits + head : 0))];
    }

    private static string StagesOf(TrainingSettings settings) => settings.Run.Stages > 1
        ? $"use more run.stages ({settings.Run.Stages})"
        : "use more stages (node.split = pipeline:N over more GPUs, run.stages over more nodes)";
}
