using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Native;
using Elastic.Model.Vectors;
using static TorchSharp.torch;

namespace Elastic.Model.Optimization;

/// <summary>AdamW (Loshchilov and Hutter 2019, algorithm 2) over a slice of the flat vectors, by libtorch's fused kernel.</summary>
internal sealed class AdamW(OptimizerSettings settings) : IOptimizer
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Vectors { get; } = [VectorSet.FirstMoment, VectorSet.SecondMoment];

    /// <inheritdoc/>
    public UpdateGranularity Granularity => UpdateGranularity.Tiles;

    /// <inheritdoc/>
    public void Update(ReplicaVectors vectors, Tensor gradient, Slice slice, OptimizerStep step)
    {
        if (!double.IsFinite(step.ClipCoefficient))
            throw new ElasticException(
                $"the gradient of step {step.Number} is not finite: the training diverges; use a smaller optimizer.learning-rate " +
                $"(this step's is {step.LearningRate:G3}), more optimizer.warmup-steps or an optimizer.clip");
        foreach (var (group, first, count) in vectors.Layout.TrainedPartsOf(slice))
            Update(vectors, gradient, first, count, group.Decays ? settings.WeightDecay : 0, step);
    }

    private void Update(ReplicaVectors vectors, Tensor gradient, long first, long count, double weightDecay, OptimizerStep step)
    {
        using var scope = NewDisposeScope();
        Tensor[] Part(Tensor vector) => [vector.narrow(0, first, count)];
        var g = Part(gradient);
        if (step.ClipCoefficient != 1)
            g[0].mul_((float)step.ClipCoefficient);
        Dispatcher.Call(
            "aten::_fused_adamw_", "", 0, Part(vectors.Parameters), g,
            Part(vectors[VectorSet.FirstMoment]), Part(vectors[VectorSet.SecondMoment]),
            Array.Empty<Tensor>(), new[] { full(1, (float)step.Number, float32, gradient.device).squeeze() },
            step.LearningRate, settings.Beta1, settings.Beta2, weightDecay, settings.Epsilon, false, false,
            Dispatcher.Argument.None, Dispatcher.Argument.None);
    }
}
