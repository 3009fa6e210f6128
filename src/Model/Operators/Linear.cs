using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Operators;

/// <summary>How the weight of a linear layer lies in memory and in files.</summary>
public enum WeightOrder
{
    /// <summary>(in, out), as GPT-2's Conv1D has it.</summary>
    InOut,

    /// <summary>(out, in), as PyTorch's Linear has it.</summary>
    OutIn,
}

/// <summary>
/// y = x W + b, or without b. (N, in) (in, out) (out) -> (N, out), whichever way W is stored. Where devices may share an axis of W, sums
/// along it are folds over its parts: those of y along W's inputs, those of dx = dy Wᵀ along its outputs. dW = xᵀ dy and db sum over rows,
/// micro-batch by micro-batch along the tree.
/// </summary>
public sealed class LinearOperation : Operation
{
    private readonly DepthParts _forward, _backward;

    internal LinearOperation(Tape tape, Value x, string name, WeightOrder order, bool hasBias)
    {
        (Weight, Bias, Order) = (name + ".weight", hasBias ? name + ".bias" : null, order);
        var segment = tape.Layout[Weight];
        var (inputs, outputs) = order == WeightOrder.InOut ? (0, 1) : (1, 0);
        (Inputs, Parameters) = ([x], Bias is null ? [Weight] : [Weight, Bias]);
        Output = new Value(this, x.Rows, (int)segment.Shape[outputs]);
        _forward = PartsOf(segment.Parameter.Shared, inputs);
        _backward = PartsOf(segment.Parameter.Shared, outputs);
    }

    /// <summary>Of the shape that <see cref="Order"/> says.</summary>
    public string Weight { get; }

    /// <summary>(out); null for none.</summary>
    public string? Bias { get; }

    /// <inheritdoc cref="WeightOrder"/>
    public WeightOrder Order { get; }

    internal override IEnumerable<Value> KeptForBackward => Inputs;

    internal override bool CanAddToGradients => true;

    internal override long ProductBytes(BatchShape batch, int threads)
    {
        var (rows, x, y) = (Inputs[0].Rows, Inputs[0].Columns, Output!.Columns);
        var (m, n) = Order == WeightOrder.InOut ? (x, y) : (y, x);
        return Math.Max(
            Math.Max(Products.WorkspaceBytes(threads, rows, y, x, _forward), Products.WorkspaceBytes(threads, rows, x, y, _backward)),
            Products.WorkspaceBytes(threads, m, n, rows, DepthParts.Equal(batch.MicroBatches)));
    }

    internal override double ForwardFlops(Tape tape) => 2.0 * Inputs[0].Rows * Inputs[0].Columns * Output!.Columns;

    internal override double BackwardFlops(Tape tape) => ForwardFlops(tape)
        * ((tape.Layout[Weight].Parameter.IsTrained ? 1 : 0) + (tape.NeedsGradient(Inputs[0]) ? 1 : 0));

    internal override unsafe void Forward(CpuPass pass)
    {
        var (x, y) = (Inputs[0], Output!);
        Products.Multiply(
            pass.Team, Matrix(pass[y], y), Matrix(pass[x], x), InOut(pass), _forward,
            bias: Bias is null ? null : pass.Parameter(Bias));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var (x, y) = (Inputs[0], Output!);
        var dy = Matrix(pass.Gradient(y), y);
        if (pass.ParameterGradient(Weight) is var dW && dW is not null)
        {
            // The rows of a product are contiguous, so the gradient is computed as the weight lies: (in, out) or (out, in).
            var (left, right) = Order == WeightOrder.InOut ? (Matrix(pass[x], x), dy) : (dy, Matrix(pass[x], x));
            Products.Multiply(
                pass.Team, Matrices.Of(dW, left.Columns, right.Columns), left.Transposed(), right,
                DepthParts.Equal(pass.Shape.MicroBatches), pass.AddsToGradients);
        }
        if (Bias is not null && pass.ParameterGradient(Bias) is var db && db is not null)
        {
            var (parts, rows, columns, adds) = (pass.Shape.MicroBatches, pass.RowsOfMicroBatch(y), y.Columns, pass.AddsToGradients);
            var gradient = dy.Data;
            pass.ForColumns(columns, (first, count) => ColumnSums.Add(
                db + first, gradient + first, columns, rows, (long)rows * columns, parts, count, adds));
        }
        if (pass.Gradient(x) is var dx && dx is not null)
            Products.Multiply(pass.Team, Matrix(dx, x), dy, InOut(pass).Transposed(), _backward, pass.AddsTo(this, x));
    }

    private MatrixView InOut(CpuPass pass)
    {
        var (x, y) = (Inputs[0].Columns, Output!.Columns);
        return Order == WeightOrder.InOut ? pass.Weight(Weight, x, y) : pass.Weight(Weight, y, x).Transposed();
    }

    private static DepthParts PartsOf(SharedAxis? shared, int axis)
        => shared is { } s && s.Axis == axis ? DepthParts.Equal(s.Parts, s.Sections) : DepthParts.One;

    private static unsafe MatrixView Matrix(float* data, Value value) => Matrices.Of(data, value.Rows, value.Columns);
}

/// <summary>Records a product with a weight.</summary>
public static class LinearOperator
{
    /// <inheritdoc cref="LinearOperation"/>
    /// <param name="name">Of its parameters, without ".weight" and ".bias".</param>
    /// <remarks>Where the layout has an adapter for the layer, its share is added.</remarks>
    public static Value Linear(
        this Tape tape, Value x, string name, WeightOrder order = WeightOrder.InOut, bool hasBias = true)
    {
        ArgumentNullException.ThrowIfNull(tape);
        var y = tape.Record(new LinearOperation(tape, x, name, order, hasBias));
        if (tape.Layout.AdapterOf(name) is not { } scale)
            return y;
        var low = tape.Linear(x, Adapter.A(name), WeightOrder.OutIn, hasBias: false);                                     // (N, r)
        return tape.ScaledSum(y, tape.Linear(low, Adapter.B(name), WeightOrder.OutIn, hasBias: false), scale);
    }
}
