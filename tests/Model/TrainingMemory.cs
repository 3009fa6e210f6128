using System.Numerics;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>What a replica in training needs of memory, added up from its parts: the yardstick of the memory tests.</summary>
internal static class TrainingMemory
{
    /// <summary>Bytes of parameters and moments, once per replica.</summary>
    public static long VectorBytes(FlatLayout layout) => 3 * layout.Length * sizeof(float);

    /// <summary>
    /// Bytes of one device's gradients for so many micro-batches: a binary counter of partial sums, log2 of them and the newest.
    /// </summary>
    public static long GradientBytes(FlatLayout layout, int microBatches)
        => microBatches == 0 ? 0 : (BitOperations.Log2((uint)microBatches) + 1) * layout.Length * sizeof(float);

    /// <summary>
    /// Bytes of one device's activations: what each block saves for its backward pass (16 C a row: input, two norms, q, k, v, mix, middle,
    /// 4 C before and 4 C after the GELU), the widest moment of a backward pass (10 C), and the logits of one piece of rows.
    /// </summary>
    /// <param name="rows">B T of a micro-batch.</param>
    public static long ActivationBytes(ModelSettings model, int rows)
    {
        var (C, L) = ((long)model.Width, model.Layers);
        return sizeof(float) * (rows * C * (16 * L + 10) + (long)Math.Min(rows, LossHead.RowsAtOnce) * model.PaddedVocabulary);
    }

    /// <summary>Bytes of a replica on <paramref name="devices"/> devices of one machine that share its vectors.</summary>
    public static long ReplicaBytes(ModelSettings model, int devices, int microBatches, int rows)
    {
        var layout = Architectures.LayoutOf(model);
        return VectorBytes(layout)
             + devices * (GradientBytes(layout, (microBatches + devices - 1) / devices) + ActivationBytes(model, rows));
    }
}
