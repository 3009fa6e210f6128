using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Native;
using Elastic.Model.Vectors;
using static TorchSharp.torch;

namespace Elastic.Model.Optimizers;

/// <summary>What one AdamW step needs to know besides the settings.</summary>
/// <param name="LearningRate">Of this step.</param>
/// <param name="Number">1 for the replica's first step; the moments are corrected for their start at zero by it.</param>
/// <param name="ClipCoefficient">What the gradient is multiplied by, from <see cref="GradientNorm.ClipCoefficient"/>.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct AdamWStep(double LearningRate, long Number, double ClipCoefficient);

/// <summary>AdamW (Loshchilov and Hutter 2019, algorithm 2) over a slice of the flat vectors, by libtorch's fused kernel.</summary>
internal static class AdamW
{
    /// <summary>
    /// Updates parameters and moments of <paramref name="slice"/> in place; scales the gradient in place first. Weight decay applies to the
    /// part of the slice before <see cref="FlatLayout.DecayedLength"/>.
    /// </summary>
    /// <param name="gradient">The flat gradient, (Length).</param>
    /// <exception cref="ElasticException">The gradient is not finite; nothing has been touched.</exception>
    public static void Update(ReplicaVectors vectors, Tensor gradient, Slice slice, AdamWStep step, OptimizerSettings settings)
    {
        if (!double.IsFinite(step.ClipCoefficient))
            throw new ElasticException(
                $"the gradient of step {step.Number} is not finite: the training diverges; use a smaller optimizer.learning-rate " +
                $"(this step's is {step.LearningRate:G3}), more optimizer.warmup-steps or an optimizer.clip");
        var decayed = Math.Clamp(vectors.Layout.DecayedLength, slice.First, slice.First + slice.Count);
        Update(vectors, gradient, slice.First, decayed - slice.First, settings.WeightDecay, step, settings);
        Update(vectors, gradient, decayed, slice.First + slice.Count - decayed, 0, step, settings);
    }

    private static void Update(
        ReplicaVectors vectors, Tensor gradient, long first, long count, double weightDecay, AdamWStep step, OptimizerSettings settings)
    {
        if (count == 0)
            return;
        using var scope = NewDisposeScope();
        Tensor[] Part(Tensor vector) => [vector.narrow(0, first, count)];
        var g = Part(gradient);
        if (step.ClipCoefficient != 1)
            g[0].mul_((float)step.ClipCoefficient);
        Dispatcher.Call(
            "aten::_fused_adamw_", "", 0, Part(vectors.Parameters), g, Part(vectors.FirstMoment), Part(vectors.SecondMoment),
            Array.Empty<Tensor>(), new[] { full(1, (float)step.Number, float32, gradient.device).squeeze() },
            step.LearningRate, settings.Beta1, settings.Beta2, weightDecay, settings.Epsilon, false, false,
            Dispatcher.Argument.None, Dispatcher.Argument.None);
    }
}
