using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Kernels.Optimization;
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
    public void Update(ReplicaVectors vectors, HostVector gradient, Slice slice, OptimizerStep step, ThreadTeam team)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        ArgumentNullException.ThrowIfNull(gradient);
        ArgumentNullException.ThrowIfNull(team);
        CheckFinite(step);
        Update(vectors, gradient, vectors.Layout.TrainedPartsOf(slice), step, team);
    }

    /// <summary>Updates these ranges of trained elements, with a gradient that is finite.</summary>
    internal unsafe void Update(
        ReplicaVectors vectors, HostVector gradient, IEnumerable<(ParameterGroup Group, long First, long Count)> parts, OptimizerStep step,
        ThreadTeam team)
    {
        HostVector parameters = vectors.Host(VectorSet.Parameters),
            firstMoment = vectors.Host(VectorSet.FirstMoment), secondMoment = vectors.Host(VectorSet.SecondMoment);
        foreach (var (group, start, count) in parts)
        {
            var numbers = new AdamWStep(
                step.Number, step.LearningRate, Settings.Beta1, Settings.Beta2, Settings.Epsilon, group.Decays ? Settings.WeightDecay : 0,
                step.ClipCoefficient);
            team.Run(
                new Part(
                    parameters.Data + start, gradient.Data + start, firstMoment.Data + start, secondMoment.Data + start, count, numbers),
                (int)((count + Part.Elements - 1) / Part.Elements));
        }
        GC.KeepAlive(vectors);
        GC.KeepAlive(gradient);
    }

    // Pieces of the range.
    private readonly unsafe struct Part(float* parameters, float* gradient, float* first, float* second, long count, AdamWStep step)
        : IParallelWork
    {
        // Four vectors of 256 KB: some twenty microseconds.
        public const int Elements = 65_536;

        private readonly float* _parameters = parameters, _gradient = gradient, _first = first, _second = second;

        public void Run(int piece)
        {
            var at = (long)piece * Elements;
            AdamWUpdate.Run(_parameters + at, _gradient + at, _first + at, _second + at, Math.Min(Elements, count - at), step);
        }
    }
}
