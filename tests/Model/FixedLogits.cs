using Elastic.Messages;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>A device that keeps nothing of a text and whose logits are given: a function of the whole text.</summary>
internal sealed class FixedLogits(int context, Func<int[], float[]> logits)
    : TrainingDevice(new DeviceId("cpu:0"), Architectures.Open(Samples.Model(1, 1, 8, context, 97)))
{
    public override IReadOnlyList<SubtreeRoot> Roots => [];

    public override float[] Logits(ReadOnlySpan<int> source, ReadOnlySpan<int> tokens) => logits(tokens.ToArray());

    public override double[] Accumulate(
        IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, Precision precision, double lossScale)
        => throw new NotSupportedException();

    public override double[] FoldSlice(IReadOnlyList<SubtreeRoot> roots, int totalMicroBatches, Slice slice)
        => throw new NotSupportedException();

    public override void UpdateSlice(Slice slice, IOptimizer optimizer, OptimizerStep step) => throw new NotSupportedException();

    public override double[] Losses(MicroBatch batch) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
    }
}
