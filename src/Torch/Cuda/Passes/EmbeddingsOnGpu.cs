using Elastic.Model.Networks;
using Elastic.Model.Operators;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary><see cref="EmbedOperation"/>. The gradient of the table is a sum by sorted tokens, in a fixed order.</summary>
internal sealed unsafe class EmbedOnGpu : GpuOperator<EmbedOperation>
{
    /// <inheritdoc/>
    protected override void Forward(GpuPass pass, EmbedOperation o)
    {
        var (y, T) = (pass.New(o.Output!), pass.Tape.Shape.Tokens);                                               // (N, C)
        pass.Tools.Kernels.Embed(
            Dispatcher.Floats(y), Dispatcher.Floats(pass.Parameters.Table(o.Table)), (int*)Dispatcher.Data(pass.Inputs.Tokens),
            o.Positions is { } positions ? Dispatcher.Floats(pass.Parameters[positions]) : null, T, y.shape[0], (int)y.shape[1]);
        DropInPlace(pass, y, o.Mask);
    }

    /// <inheritdoc/>
    protected override void Backward(GpuPass pass, EmbedOperation o)
    {
        var (dx, T) = (Dropped(pass, o.Mask), pass.Tape.Shape.Tokens);
        if (o.Positions is { } positions && pass.Parameters.Gradient(positions) is { } dPositions)
            dPositions.narrow(0, 0, T).AddInPlace(dx.view(-1, T, dx.shape[1]).sum(dim: 0));
        if (pass.Parameters.GradientOfRows(o.Table) is { } dTable)
            pass.Tools.AddEmbeddingGradient(dTable, pass.Inputs.TokenRows.Value, dx);
    }

    /// <summary>What a mask leaves of embeddings.</summary>
    public static void DropInPlace(GpuPass pass, Tensor x, DropoutMask? mask)
    {
        if (mask is not null)
            pass.Tools.Dropout(x, x, null, pass.DropoutKeys(mask), mask.Rate);
    }

    /// <summary>What it leaves of their gradient.</summary>
    public static Tensor Dropped(GpuPass pass, DropoutMask? mask)
    {
        if (mask is null)
            return pass.Dy;
        var dx = empty_like(pass.Dy);
        pass.Tools.Dropout(dx, pass.Dy, null, pass.DropoutKeys(mask), mask.Rate);
        return dx;
    }
}

/// <summary><see cref="EmbedPairsOperation"/>.</summary>
internal sealed unsafe class EmbedPairsOnGpu : GpuOperator<EmbedPairsOperation>
{
    /// <inheritdoc/>
    protected override void Forward(GpuPass pass, EmbedPairsOperation o)
    {
        // One micro-batch: the rows of its sources, then those of its sequences, whose places count from 0.
        var (y, table, C) = (pass.New(o.Output!), pass.Parameters.Table(o.Table), o.Positions.Width);                   // (M + N, C)
        var places = pass.Tools.Constants.Of(o.Positions, () => o.Positions.Values);
        void Embed(long first, Tensor tokens, int length) => pass.Tools.Kernels.Embed(
            Dispatcher.Floats(y) + first * C, Dispatcher.Floats(table), (int*)Dispatcher.Data(tokens), Dispatcher.Floats(places), length,
            tokens.shape[0], C, o.Scale);
        Embed(0, pass.Inputs.Sources!, pass.Tape.Shape.Sources);
        Embed(pass.Inputs.Sources!.shape[0], pass.Inputs.Tokens, pass.Tape.Shape.Tokens);
        EmbedOnGpu.DropInPlace(pass, y, o.Mask);
    }

    /// <inheritdoc/>
    protected override void Backward(GpuPass pass, EmbedPairsOperation o)
    {
        if (pass.Parameters.GradientOfRows(o.Table) is { } dTable)
            pass.Tools.AddEmbeddingGradient(dTable, pass.Inputs.TokenRows.Value, EmbedOnGpu.Dropped(pass, o.Mask).Times(o.Scale));
    }
}
