using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Vectors;

namespace Elastic.Model.Optimization;

/// <summary>AdamW (Loshchilov and Hutter 2019, algorithm 2) over a slice of the flat vectors; clips the gradient as it reads it.</summary>
public sealed class AdamW(OptimizerSettings settings) : IOptimizer
{
    /// <summary>β, ε and the weight decay.</summary>
    public OptimizerSettings Settings { get; } = settings;

    /// <inheritdoc/>
    public IReadOnlyList<string> Vectors { get; } = [VectorSet.FirstMoment, VectorSet.SecondMoment];

    /// <inheritdoc/>
    public UpdateGranularity Granularity => UpdateGranularity.Tiles;

    /// <summary>Refuses a gradient whose norm, and so its clip coefficient, is not finite.</summary>
    /// <exception cref="ElasticException">It is not.</exception>
    public static void CheckFinite(OptimizerStep step)
    {
        if (!double.IsFinite(step.ClipCoefficient))
            throw new ElasticException(
                $"the gradient of step {step.Number} is not finite: the training diverges; use a smaller optimizer.learning-rate " +
                $"(this step's is {step.LearningRate:G3}), more optimizer.warmup-steps or an optimizer.clip");
    }

    /// <inheritdoc/>
    public unsafe void Update(ReplicaVectors vectors, HostVector gradient, Slice slice, OptimizerStep step, ThreadTeam team)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        ArgumentNullException.ThrowIfNull(gradient);
        ArgumentNullException.ThrowIfNull(team);
        CheckFinite(step);
        HostVector parameters = vectors.Host(VectorSet.Parameters),
            first = vectors.Host(VectorSet.FirstMoment), second = vectors.Host(VectorSet.SecondMoment);
        foreach (var (group, start, count) in vectors.Layout.TrainedPartsOf(slice))
        {
            var decay = group.Decays ? Settings.WeightDecay : 0;
            StubAdam.Update(parameters.Data + start, gradient.Data + start, first.Data + start, second.Data + start, count,
                step.LearningRate, Settings.Beta1, Settings.Beta2, Settings.Epsilon, decay, step.ClipCoefficient, step.Number);
        }
        GC.KeepAlive(vectors);
        GC.KeepAlive(gradient);
    }
}
