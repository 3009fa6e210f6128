using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda.Passes;
using static TorchSharp.torch;

namespace Elastic.Torch;

// A device's passes through the network.
internal sealed partial class TorchDevice
{
    // Of the last step; the next one's are the same.
    private Tape? _tape;

    // The sum of the losses, fp64: the caller's.
    private Tensor ForwardBackward(MicroBatch batch, PiecedVector gradient, DropoutSeed seed, Precision precision, double lossScale)
    {
        using var scope = NewDisposeScope();
        gradient.Clear();
        if (_tape is not { } tape || (tape.Shape, tape.Precision) != (ShapeOf(batch), precision))
            tape = _tape = NewTape(TapePurpose.Training, ShapeOf(batch), precision);
        using var parameters = new PassParameters(Layout, [_copies.Whole(Vectors, VectorSet.Parameters)]);
        using var pass = Open(tape, batch, parameters, seed, lossScale / batch.StepTargets);
        pass.Forward(0, tape.Operations.Count);
        parameters.AddTo(gradient);
        pass.Backward(0, tape.Operations.Count);
        return pass.Losses.sum().DetachFromDisposeScope();
    }

    // Without gradients.
    private Tensor Run(TapePurpose purpose, MicroBatch batch)
    {
        var tape = NewTape(purpose, ShapeOf(batch), null);
        using var parameters = new PassParameters(Layout, [_copies.Whole(Vectors, VectorSet.Parameters)]);
        using var pass = Open(tape, batch, parameters, default, 1);
        pass.Forward(0, tape.Operations.Count);
        return pass.Losses.alias();
    }

    // What an update writes in 16 bits, for the next passes: where this device updates all that is trained of a vector. Where several do,
    // each makes its copies again from the vector that all have changed.
    private NarrowCopies? CopiesToWrite(TorchVector parameters, Slice slice) =>
        slice.First <= parameters.First && slice.First + slice.Count >= TrainedEnd(parameters) ? _passes?.Copies : null;

    private long TrainedEnd(TorchVector parameters) => Math.Min(parameters.Length, Layout.TrainedLength);

    /// <summary>The shape of one micro-batch.</summary>
    internal static BatchShape ShapeOf(MicroBatch batch) => new(1, batch.Rows, batch.Columns, batch.SourceColumns);

    /// <summary>The network, recorded.</summary>
    /// <param name="precision">Null for fp32.</param>
    internal Tape NewTape(TapePurpose purpose, BatchShape shape, Precision? precision)
    {
        var tape = new Tape(purpose, shape, Layout, _labelSmoothing, precision);
        Architecture.Record(tape);
        return tape;
    }

    /// <summary>A pass of one micro-batch: by our kernels, or by libtorch's plain operators where there are none.</summary>
    internal ITapePass Open(Tape tape, MicroBatch batch, PassParameters parameters, DropoutSeed seed, double factor)
    {
        CheckSource(batch.Sources is not null);
        foreach (var token in batch.Inputs.Concat(batch.Targets.Where(t => t != MicroBatch.NotCounted)).Concat(batch.Sources ?? []))
        {
            if ((uint)token >= (uint)Architecture.Vocabulary)
                throw new ArgumentException($"token {token} is not in the vocabulary of {Architecture.Vocabulary}", nameof(batch));
        }
        return _passes is { } passes
            ? passes.Open(tape, batch, parameters, seed, factor, pass => Borrow(pass, parameters))
            : OpenPlain(tape, batch, parameters, seed, factor);
    }

    // For one operation of a pass by our kernels, which attends: what it reads of the batch is there already.
    private TorchPass Borrow(GpuPass pass, PassParameters parameters) => new(
        pass.Tape, name => parameters[name], pass.Inputs.Tokens.alias().DetachFromDisposeScope(), null, _device, float32)
    {
        Segments = pass.Inputs.Segments?.alias().DetachFromDisposeScope(),
        SourceSegments = pass.Inputs.SourceSegments?.alias().DetachFromDisposeScope(),
        AttentionFactors = (mask, shape) => pass.Tools.AttentionFactors(shape, pass.DropoutKeys(mask), mask.Rate),
    };

    private TorchPass OpenPlain(Tape tape, MicroBatch batch, PassParameters parameters, DropoutSeed seed, double factor)
    {
        // The pass disposes of what it reads, which may be in a later call.
        using var scope = NewDisposeScope();
        Tensor Kept(Tensor x) => x.DetachFromDisposeScope();
        Tensor? Numbers(int[]? values) => values is null ? null : Kept(tensor(values, int64).to(_device));
        var isGeneration = tape.Purpose == TapePurpose.Generation;
        int[] targets = isGeneration ? [] : [.. batch.Targets.Select(t => t == MicroBatch.NotCounted ? 0 : t)];
        return new TorchPass(
            tape, name => parameters[name], Numbers(batch.Inputs)!, isGeneration ? null : Numbers(targets), _device, float32)
        {
            Tables = parameters.Table,
            Counted = isGeneration ? null : Kept(TorchPass.CountedOf(batch, float32).to(_device)),
            Segments = Numbers(batch.Segments),
            Types = Numbers(batch.Types),
            Sources = Numbers(batch.Sources),
            SourceSegments = batch.Sources is null || isGeneration ? null : Numbers(batch.SourceSegments()),
            Seed = seed,
            FirstMicroBatch = batch.Index,
            MultipliesNarrow = true,
            LossFactor = factor,
        };
    }
}
