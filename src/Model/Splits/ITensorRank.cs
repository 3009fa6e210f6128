using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Splits;

/// <summary>
/// A device as a rank of a tensor group, whose devices compute micro-batches together. Its first rank keeps the sums of their gradients,
/// of which each rank writes its share. <see cref="TensorGroup"/> calls all of it.
/// </summary>
public interface ITensorRank
{
    /// <summary>Forgets all sums.</summary>
    /// <param name="foldsInto">
    /// Where the device folds its slice of the gradient, as another device has the sums; null where it has its own.
    /// </param>
    void BeginStep(DeviceVector? foldsInto = null);

    /// <summary>On the first rank: where the next subtree's gradient goes, and whether it is added to what is there.</summary>
    (GradientBuffer Into, bool Adds) Rent(Kernels.TreeNode node);

    /// <summary>
    /// Begins the rank's share of the forward and backward pass of a full subtree of micro-batches. Where it does not come to
    /// <see cref="End"/>, because a rank has failed or hangs, that one may be at work yet: then <see cref="Leave"/> is called.
    /// </summary>
    /// <param name="into">Where all ranks' gradients go.</param>
    /// <param name="adds">Adds to what is there.</param>
    /// <exception cref="Foundation.ElasticException">The micro-batches have fewer rows than the group has ranks.</exception>
    ITensorPass Begin(
        TensorShare share, IReadOnlyList<MicroBatch> group, DropoutSeed seed, Precision precision, double lossScale, GradientBuffer into,
        bool adds);

    /// <summary>Goes on with the pass until all ranks have to have what this one made.</summary>
    /// <param name="ranks">The passes of all ranks, in order.</param>
    /// <returns>True when the pass has ended.</returns>
    bool Advance(IReadOnlyList<ITensorPass> ranks);

    /// <summary>The pass has ended on all ranks: nobody reads or writes any more what is another's.</summary>
    void End();

    /// <summary>
    /// Gives up all memory where a pass has begun and not ended: a rank that hangs reads other ranks' activations when it goes on, and
    /// writes its share of the gradient. The garbage collector frees it when that rank has ended.
    /// </summary>
    void Leave();

    /// <summary>On the first rank: the ranks' gradient joins the tree.</summary>
    /// <returns>The sum of the losses of each micro-batch's counted targets, nats.</returns>
    double[] Add(Kernels.TreeNode node, IReadOnlyList<ITensorPass> ranks);
}

/// <summary>A rank's share of a pass, which other ranks read.</summary>
public interface ITensorPass;
