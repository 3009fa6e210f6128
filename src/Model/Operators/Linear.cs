using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Operators;

/// <summary>
/// y = x W + b. (N, in) (in, out) (out) -> (N, out). Where devices may share an axis of W, sums along it are folds over its parts: those of
/// y along the rows of W, those of dx = dy Wᵀ along its columns. dW = xᵀ dy and db sum over rows, micro-batch by micro-batch along the
/// tree.
/// </summary>
public sealed class LinearOperation : Operation
{
    private readonly DepthParts _forward, _backward;

    internal LinearOperation(Tape tape, Value x, string name)
    {
        (Weight, Bias) = (name + ".weight", name + ".bias");
        var segment = tape.Layout[Weight];
        (Inputs, Parameters, Output) = ([x], [Weight, Bias], new Value(this, x.Rows, (int)segment.Shape[1]));
        _forward = PartsOf(segment.Parameter.Shared, 0);
        _backward = PartsOf(segment.Parameter.Shared, 1);
    }

    /// <summary>(in, out).</summary>
    public string Weight { get; }

    /// <summary>(out).</summary>
    public string Bias { get; }

    internal override IEnumerable<Value> KeptForBackward => Inputs;

    internal override bool CanAddToGradients => true;

    internal override long ProductBytes(BatchShape batch, int threads)
    {
        var (rows, x, y) = (batch.Rows, Inputs[0].Columns, Output!.Columns);
        return Math.Max(
            Math.Max(Products.WorkspaceBytes(threads, rows, y, x, _forward), Products.WorkspaceBytes(threads, rows, x, y, _backward)),
            Products.WorkspaceBytes(threads, x, y, rows, DepthParts.Equal(batch.MicroBatches)));
    }

    internal override unsafe void Forward(CpuPass pass)
    {
        var (x, y) = (Inputs[0], Output!);
        Products.Multiply(
            pass.Team, Matrix(pass[y], y), Matrix(pass[x], x), Matrices.Of(pass.Parameter(Weight), x.Columns, y.Columns), _forward,
            bias: pass.Parameter(Bias));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var (x, y) = (Inputs[0], Output!);
        var dy = Matrix(pass.Gradient(y), y);
        if (pass.ParameterGradient(Weight) is var dW && dW is not null)
        {
            Products.Multiply(
                pass.Team, Matrices.Of(dW, x.Columns, y.Columns), Matrix(pass[x], x).Transposed(), dy,
                DepthParts.Equal(pass.Shape.MicroBatches), pass.AddsToGradients);
        }
        if (pass.ParameterGradient(Bias) is var db && db is not null)
        {
            var (parts, rows, columns, adds) = (pass.Shape.MicroBatches, pass.Shape.RowsOfMicroBatch, y.Columns, pass.AddsToGradients);
            var gradient = dy.Data;
            pass.ForColumns(columns, (first, count) => ColumnSums.Add(
                db + first, gradient + first, columns, rows, (long)rows * columns, parts, count, adds));
        }
        if (pass.Gradient(x) is var dx && dx is not null)
        {
            var weight = Matrices.Of(pass.Parameter(Weight), x.Columns, y.Columns).Transposed();
            Products.Multiply(pass.Team, Matrix(dx, x), dy, weight, _backward, pass.AddsTo(this, x));
        }
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
    public static Value Linear(this Tape tape, Value x, string name) => tape.Record(new LinearOperation(tape, x, name));
}
