using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;

namespace Elastic.Model.Training;

/// <summary>
/// In what a training step keeps its numbers (Micikevicius et al. 2018, "Mixed precision training"). Arithmetic is fp32 in all of them. In
/// bf16 and fp16 numbers are rounded to 16 bits at these places and no other:
///
///   the working copy of the parameters, from which products read weights, when a step begins;
///   what an operation makes (<see cref="Tapes.Operation.StaysWide"/> names those of which it is not rounded);
///   the gradient of what an operation makes, when all readers have added to it and its own backward pass begins.
///
/// Master parameters, moments, sums of gradients, gains, biases (but on a GPU those that a product in 16 bits adds, which come from
/// the working copy), embeddings' rows, logits (but on a GPU in bf16) and the residual stream stay fp32.
/// </summary>
public sealed record Precision
{
    private Precision(string name, NarrowType? storage, bool scalesLoss) => (Name, Storage, ScalesLoss) = (name, storage, scalesLoss);

    /// <summary>Nothing is rounded.</summary>
    public static Precision Fp32 { get; } = new("fp32", null, false);

    /// <summary>bfloat16, which has fp32's range.</summary>
    public static Precision Bf16 { get; } = new("bf16", NarrowType.BFloat16, false);

    /// <summary>
    /// IEEE binary16. Small gradients would become zero in it: the loss is multiplied by a scale (<see cref="LossScale"/>), and a step
    /// whose gradients are too large then is skipped.
    /// </summary>
    public static Precision Fp16 { get; } = new("fp16", NarrowType.Float16, true);

    /// <summary>As <c>run.precision</c> has it.</summary>
    public string Name { get; }

    /// <summary>True where the loss is scaled.</summary>
    public bool ScalesLoss { get; }

    /// <summary>True where parameters have a working copy.</summary>
    public bool IsNarrow => Storage is not null;

    /// <summary>Vectors of the replica's state that it needs, besides the optimizer's.</summary>
    public IReadOnlyList<string> Vectors => ScalesLoss ? [VectorSet.LossScale] : [];

    /// <summary>The type of what is rounded; null for nothing.</summary>
    internal NarrowType? Storage { get; }

    /// <summary>The precision that the settings name, for a network and an optimizer.</summary>
    /// <exception cref="ElasticException">One of them does not support it.</exception>
    public static Precision Of(TrainingPrecision precision, IArchitecture architecture, IOptimizer optimizer)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        ArgumentNullException.ThrowIfNull(optimizer);
        Check($"the network ({architecture.Signature})", architecture.Supports);
        Check($"the optimizer ({optimizer.GetType().Name})", optimizer.Supports);
        return Of(precision);

        void Check(string what, Predicate<TrainingPrecision> supports)
        {
            if (!supports(precision))
                throw new ElasticException(
                    $"run.precision = {Of(precision)}: {what} does not train in it; use "
                    + string.Join(" or ", Enum.GetValues<TrainingPrecision>().Where(p => supports(p)).Select(Of)));
        }
    }

    /// <summary>The precision that the settings name.</summary>
    public static Precision Of(TrainingPrecision precision) => precision switch
    {
        TrainingPrecision.Bf16 => Bf16,
        TrainingPrecision.Fp16 => Fp16,
        _ => Fp32,
    };

    /// <inheritdoc/>
    public override string ToString() => Name;
}
