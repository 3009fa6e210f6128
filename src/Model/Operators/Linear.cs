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
///
/// A rank of a tensor group has whole parts of the shared axis. Where these are outputs, it has columns of y, and its dx is a sum that the
/// ranks' fold completes; where they are inputs, it has columns of x, and its y is such a sum.
/// </summary>
public sealed class LinearOperation : Operation
{
    private readonly DepthParts _forward, _backward;
    private readonly bool _sharesOutputs;
    private readonly int _allInputs, _allOutputs;
    private readonly IReadOnlyList<Piece> _pieces;

    internal LinearOperation(Tape tape, Value x, string name, WeightOrder order, bool hasBias)
    {
        (Weight, Bias, Order) = (name + ".weight", hasBias ? name + ".bias" : null, order);
        var segment = tape.Layout[Weight];
        var (inputs, outputs) = order == WeightOrder.InOut ? (0, 1) : (1, 0);
        (Inputs, Parameters) = ([x], Bias is null ? [Weight] : [Weight, Bias]);
        (_allInputs, _allOutputs) = ((int)segment.Shape[inputs], (int)segment.Shape[outputs]);
        var (shared, share) = (segment.Parameter.Shared, tape.Share);
        _sharesOutputs = share is null || shared?.Axis == outputs;
        StaysWide = !_sharesOutputs;
        _pieces = share is null ? [new Piece(0, 0, _allOutputs)]
            : PiecesOf(share, _sharesOutputs ? _allOutputs : _allInputs, shared?.Sections ?? 1);
        Output = new Value(this, x.Rows, _sharesOutputs ? _pieces.Sum(p => p.Count) : _allOutputs);
        var parts = shared is null ? 1 : share?.PartsOf(segment.Parameter) ?? shared.Parts;
        _forward = PartsOf(shared, inputs, parts);
        _backward = PartsOf(shared, outputs, parts);
    }

    /// <summary>Name of the weight, which has the shape that <see cref="Order"/> says.</summary>
    public string Weight { get; }

    /// <summary>(out); null for none.</summary>
    public string? Bias { get; }

    /// <inheritdoc cref="WeightOrder"/>
    public WeightOrder Order { get; }

    // What the ranks' fold completes is rounded afterwards.
    internal override bool StaysWide { get; }

    internal override IEnumerable<Value> KeptForBackward => Inputs;

    internal override bool CanAddToGradients => true;

    // Pieces of the weight, side by side.
    internal override long ScratchFloats(BatchShape batch, int threads)
        => _pieces.Count > 1 ? (long)Inputs[0].Columns * Output!.Columns : 0;

    internal override long ProductBytes(BatchShape batch, int threads)
    {
        var (rows, x, y) = (Inputs[0].Rows, Inputs[0].Columns, Output!.Columns);
        var piece = _sharesOutputs ? _pieces[0].Count : y;
        var (m, n) = Order == WeightOrder.InOut ? (x, piece) : (piece, x);
        return Math.Max(
            Math.Max(Products.WorkspaceBytes(threads, rows, piece, x, _forward), Products.WorkspaceBytes(threads, rows, x, y, _backward)),
            Products.WorkspaceBytes(threads, m, n, rows, DepthParts.Equal(batch.MicroBatches)));
    }

    internal override double ForwardFlops(Tape tape) => 2.0 * Inputs[0].Rows * Inputs[0].Columns * Output!.Columns;

    internal override double BackwardFlops(Tape tape) => ForwardFlops(tape)
        * ((tape.Layout[Weight].Parameter.IsTrained ? 1 : 0) + (tape.NeedsGradient(Inputs[0]) ? 1 : 0));

    internal override unsafe void Forward(CpuPass pass)
    {
        var (x, y) = (Inputs[0], Output!);
        var bias = Bias is null ? null : pass.Parameter(Bias);
        foreach (var piece in _pieces)
        {
            Products.Multiply(
                pass.Team, OfOutputs(Matrix(pass[y], y), piece), Matrix(pass[x], x), InOut(pass, piece), _forward,
                bias: bias is null ? null : bias + piece.First);
        }
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var (x, y) = (Inputs[0], Output!);
        var dy = Matrix(pass.Gradient(y), y);
        if (pass.ParameterGradient(Weight) is var dW && dW is not null)
        {
            foreach (var piece in _pieces)
            {
                // The rows of a product are contiguous, so the gradient is computed as the weight lies: (in, out) or (out, in).
                var (left, right) = Order == WeightOrder.InOut
                    ? (Matrix(pass[x], x), OfOutputs(dy, piece)) : (OfOutputs(dy, piece), Matrix(pass[x], x));
                Products.Multiply(
                    pass.Team, AsItLies(dW, piece), left.Transposed(), right, DepthParts.Equal(pass.Shape.MicroBatches),
                    pass.AddsToGradients);
            }
        }
        if (Bias is not null && pass.ParameterGradient(Bias) is var db && db is not null)
        {
            foreach (var piece in _pieces)
                AddBias(pass, OfOutputs(dy, piece), db + piece.First);
        }
        if (pass.Gradient(x) is var dx && dx is not null)
            Products.Multiply(pass.Team, Matrix(dx, x), dy, Whole(pass).Transposed(), _backward, pass.AddsTo(this, x));
    }

    private unsafe void AddBias(CpuPass pass, MatrixView dy, float* db)
    {
        var (parts, rows, stride, adds) = (pass.Shape.MicroBatches, pass.RowsOfMicroBatch(Output!), dy.RowStride, pass.AddsToGradients);
        var gradient = dy.Data;
        pass.ForColumns(dy.Columns, (first, count) => ColumnSums.Add(
            db + first, gradient + first, stride, rows, rows * stride, parts, count, adds));
    }

    private MatrixView OfOutputs(MatrixView y, Piece piece) => _sharesOutputs ? y.Part(0, y.Rows, piece.Place, piece.Count) : y;

    // (in, out), of which the rank's piece.
    private MatrixView InOut(CpuPass pass, Piece piece)
    {
        var all = Order == WeightOrder.InOut
            ? pass.Weight(Weight, _allInputs, _allOutputs) : pass.Weight(Weight, _allOutputs, _allInputs).Transposed();
        return _sharesOutputs ? all.Part(0, _allInputs, piece.First, piece.Count) : all.Part(piece.First, piece.Count, 0, _allOutputs);
    }

    private unsafe MatrixView AsItLies(float* gradient, Piece piece)
    {
        var (rows, columns) = Order == WeightOrder.InOut ? (_allInputs, _allOutputs) : (_allOutputs, _allInputs);
        return _sharesOutputs == (Order == WeightOrder.InOut)
            ? Matrices.Of(gradient, rows, columns).Part(0, rows, piece.First, piece.Count)
            : Matrices.Of(gradient, rows, columns).Part(piece.First, piece.Count, 0, columns);
    }

    // All pieces of the rank, (in, out): copied side by side where there are several, of queries, keys and values. Rows are contiguous as
    // the weight lies.
    private unsafe MatrixView Whole(CpuPass pass)
    {
        if (_pieces.Count == 1)
            return InOut(pass, _pieces[0]);
        var (x, y, isInOut) = (Inputs[0].Columns, Output!.Columns, Order == WeightOrder.InOut);
        var type = InOut(pass, _pieces[0]).Type;
        var whole = isInOut ? new MatrixView(pass.Scratch, x, y, y, 1, type) : new MatrixView(pass.Scratch, y, x, x, 1, type);
        foreach (var piece in _pieces)
        {
            var from = isInOut ? InOut(pass, piece) : InOut(pass, piece).Transposed();
            var into = isInOut ? whole.Part(0, x, piece.Place, piece.Count) : whole.Part(piece.Place, piece.Count, 0, x);
            pass.ForRows(from.Rows, from.Columns, (first, count) =>
            {
                for (var row = first; row < first + count; row++)
                {
                    if (type is null)
                        Ranges.Copy(into.At(row, 0), from.At(row, 0), from.Columns);
                    else
                        new ReadOnlySpan<ushort>(from.NarrowAt(row, 0), from.Columns).CopyTo(
                            new Span<ushort>(into.NarrowAt(row, 0), from.Columns));
                }
            });
        }
        return isInOut ? whole : whole.Transposed();
    }

    private static IReadOnlyList<Piece> PiecesOf(TensorShare share, int size, int sections)
    {
        var (section, count) = (size / sections, size / sections / share.Ranks);
        return [.. Enumerable.Range(0, sections).Select(i => new Piece(i * count, i * section + share.Rank * count, count))];
    }

    private static DepthParts PartsOf(SharedAxis? shared, int axis, int parts)
        => shared is { } s && s.Axis == axis ? DepthParts.Equal(parts, s.Sections) : DepthParts.One;

    private static unsafe MatrixView Matrix(float* data, Value value) => Matrices.Of(data, value.Rows, value.Columns);

    // A range of the weight's shared axis, and where it begins among the rank's columns.
    private sealed record Piece(int Place, int First, int Count);
}

/// <summary>Records a product with a weight.</summary>
public static class LinearOperator
{
    /// <inheritdoc cref="LinearOperation"/>
    /// <param name="name">Name of the layer's parameters, without ".weight" and ".bias".</param>
    /// <remarks>Where the layout has an adapter for the layer, its share is added.</remarks>
    public static Value Linear(
        this Tape tape, Value x, string name, WeightOrder order = WeightOrder.InOut, bool hasBias = true)
    {
        ArgumentNullException.ThrowIfNull(tape);
        var y = Product(tape, x, name, order, hasBias);
        if (tape.Layout.AdapterOf(name) is not { } scale)
            return y;
        var low = Product(tape, x, Adapter.A(name), WeightOrder.OutIn, hasBias: false);                                   // (N, r)
        return tape.ScaledSum(y, Product(tape, low, Adapter.B(name), WeightOrder.OutIn, hasBias: false), scale);
    }

    // Of a rank's share: outputs are shared: it needs all rows of x. Inputs are shared: it gets its rows of the sum. Neither is: it makes
    // its rows by itself.
    private static Value Product(Tape tape, Value x, string name, WeightOrder order, bool hasBias)
    {
        if (tape.Share is not { } share)
            return tape.Record(new LinearOperation(tape, x, name, order, hasBias));
        var parameter = tape.Layout[name + ".weight"].Parameter;
        if (parameter.Shared is null)
            return tape.Record(new RowLinearOperation(tape, x, name, order, hasBias));
        share.PartsOf(parameter);
        var outputs = order == WeightOrder.InOut ? 1 : 0;
        return parameter.Shared.Axis == outputs
            ? tape.Record(new LinearOperation(tape, tape.GatherRows(x), name, order, hasBias))
            : tape.FoldRanks(
                tape.Record(new LinearOperation(tape, x, name, order, hasBias: false)), hasBias ? name + ".bias" : null);
    }
}
