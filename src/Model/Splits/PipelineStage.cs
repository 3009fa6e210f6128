using Elastic.Kernels;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Training;

namespace Elastic.Model.Splits;

/// <summary>Micro-batches that go through a pipeline together: a full subtree of the step's.</summary>
public sealed record PipelineUnit(TreeNode Node, IReadOnlyList<MicroBatch> MicroBatches);

/// <summary>
/// A stage of a pipeline on its device. Called on the device's thread, in the order of <see cref="PipelineSchedule"/>, each when the
/// stage before or behind has done the same unit: then it reads what that one has made.
/// </summary>
public abstract class PipelineStage(PipelineGroup group)
{
    /// <summary>The stages that it belongs to.</summary>
    public PipelineGroup Group { get; } = group;

    /// <summary>The sums of gradients of the stage's parameters, in the order of the micro-batches.</summary>
    public abstract IReadOnlyList<SubtreeRoot> OwnRoots { get; }

    /// <summary>True for the stage whose embeddings' rows are summed apart.</summary>
    public abstract bool HasRows { get; }

    /// <summary>Begins a step.</summary>
    public abstract void Begin(IReadOnlyList<PipelineUnit> units, DropoutSeed seed, Precision precision, double lossScale);

    /// <summary>The forward pass of a unit.</summary>
    public abstract void Forward(int unit);

    /// <summary>The backward pass of a unit, which adds to the sums.</summary>
    /// <returns>Of the last stage, the sum of the losses of each micro-batch's counted targets, nats; none of others.</returns>
    public abstract double[] Backward(int unit);

    /// <summary>
    /// Where the stages are apart: what the next pass reads of the stage before, or behind, fp32 as this machine has it.
    /// </summary>
    public ReadOnlyMemory<byte> Received { get; set; }

    /// <summary>Bytes that go over a cut for a unit, forwards the activations, backwards their gradients.</summary>
    /// <param name="isIncoming">What the stage reads; otherwise what it makes.</param>
    public abstract int BytesOver(int unit, bool isForward, bool isIncoming);

    /// <summary>Where the stages are apart: copies what the last pass made for the stage behind, or before.</summary>
    /// <param name="into">As many bytes as <see cref="BytesOver"/> says.</param>
    public abstract void Pack(int unit, bool isForward, Span<byte> into);

    /// <summary>Frees its memory, where no stage of the group is at work.</summary>
    public abstract void Close();
}
