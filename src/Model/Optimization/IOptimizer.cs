using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Messages.Settings;
using Elastic.Model.Vectors;

namespace Elastic.Model.Optimization;

/// <summary>What one step of an optimizer needs besides the settings.</summary>
/// <param name="LearningRate">The learning rate of this step.</param>
/// <param name="Number">1 for the replica's first step.</param>
/// <param name="ClipCoefficient">The factor of the gradient, from <see cref="GradientNorm.ClipCoefficient"/>.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct OptimizerStep(double LearningRate, long Number, double ClipCoefficient);

/// <summary>Turns gradients into parameters. Its state is in the replica's vectors.</summary>
public interface IOptimizer
{
    /// <summary>
    /// Names of the vectors that it needs besides the parameters. They belong to the replica's state, and start as zeros.
    /// </summary>
    IReadOnlyList<string> Vectors { get; }

    /// <summary>Where the vector may be cut for several devices.</summary>
    UpdateGranularity Granularity { get; }

    /// <summary>False for a precision whose gradients it cannot use.</summary>
    bool Supports(TrainingPrecision precision) => true;

    /// <summary>Bytes that a device's update takes besides the vectors, at most.</summary>
    double WorkspaceBytes(FlatLayout layout, int threads) => 0;

    /// <summary>
    /// Updates the trained parameters of <paramref name="slice"/>, and the optimizer's vectors there, in place, on the CPU. A step has
    /// several calls where a device's slice is taken piece by piece.
    /// </summary>
    /// <param name="gradient">The flat gradient, (TrainedLength), or the piece of it that holds the slice; before clipping.</param>
    /// <exception cref="ElasticException">The gradient is not finite; no vector was changed.</exception>
    void Update(ReplicaVectors vectors, HostVector gradient, Slice slice, OptimizerStep step, ThreadTeam team);
}
