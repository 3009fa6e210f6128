using Akka.Actor;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimizers;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes.Devices;

// What is said to a trainer. These never leave the process: they hand tensors over by reference, and whoever hands one
// over does not touch it until the answer is there.
internal abstract record TrainerCommand : INoSerializationVerificationNeeded
{
    /// <summary>Work for this run's model on these vectors from now on.</summary>
    public sealed record Attach(TrainingSettings Settings, ReplicaVectors Vectors) : TrainerCommand;

    /// <summary>Forward and backward over micro-batches first, first + 1, … of M. Answered by <see cref="TrainerReply.Accumulated"/>.</summary>
    public sealed record Accumulate(IReadOnlyList<ReadOnlyMemory<int>> MicroBatches, int First, int Of, DropoutSeed Seed) : TrainerCommand;

    /// <summary>Fold a slice of all devices' gradients. Answered by <see cref="TrainerReply.Folded"/>.</summary>
    public sealed record Fold(IReadOnlyList<SubtreeRoot> Roots, int Of, Slice Slice) : TrainerCommand;

    /// <summary>AdamW on a slice. Answered by <see cref="TrainerReply.Done"/>.</summary>
    public sealed record Update(Slice Slice, AdamWStep Step) : TrainerCommand;

    /// <summary>Losses of rows without gradients. Answered by <see cref="TrainerReply.Evaluated"/>.</summary>
    public sealed record Evaluate(int[] Tokens) : TrainerCommand;
}

internal abstract record TrainerReply : INoSerializationVerificationNeeded
{
    public sealed record Done : TrainerReply;

    /// <param name="LossNats">Mean loss of each micro-batch.</param>
    public sealed record Accumulated(double[] LossNats, IReadOnlyList<SubtreeRoot> Roots) : TrainerReply;

    /// <param name="SquareSums">Sum of squares of each tile of the slice.</param>
    public sealed record Folded(double[] SquareSums) : TrainerReply;

    /// <param name="LossNats">Mean loss of each row.</param>
    public sealed record Evaluated(double[] LossNats) : TrainerReply;
}
