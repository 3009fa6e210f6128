using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// <see cref="LinearOperation"/> in a tensor group where no axis of W is shared: each rank has all of W, and makes its own rows of y and
/// dx. (N / ranks, in) (in, out) (out) -> (N / ranks, out). dW and db sum over all rows in their order: so each rank sums some columns of
/// them, over all ranks' rows, which it copies side by side.
/// </summary>
public sealed class RowLinearOperation : Operation
{
    private readonly int _inputs, _outputs;
    private readonly bool _isTrained;
    private readonly TensorShare _share;

    internal RowLinearOperation(Tape tape, Value x, string name, WeightOrder order, bool hasBias)
    {
        (Weight, Bias, Order, _share) = (name + ".weight", hasBias ? name + ".bias" : null, order, tape.Share!);
        var shape = tape.Layout[Weight].Shape;
        (_inputs, _outputs) = order == WeightOrder.InOut ? ((int)shape[0], (int)shape[1]) : ((int)shape[1], (int)shape[0]);
        (Inputs, Parameters) = ([x], Bias is null ? [Weight] : [Weight, Bias]);
        _isTrained = Parameters.Any(p => tape.Layout[p].Parameter.IsTrained);
        Output = Value.RowsOf(this, _share, x.AllRows, _outputs);
    }

    /// <summary>Name of the weight, which has the shape that <see cref="Order"/> says.</summary>
    public string Weight { get; }

    /// <summary>(out); null for none.</summary>
    public string? Bias { get; }

    /// <inheritdoc cref="WeightOrder"/>
    public WeightOrder Order { get; }

    internal override IEnumerable<Value> KeptForBackward => Inputs;

    internal override bool CanAddToGradients => true;

    internal override bool ReadsRanksBackward => _isTrained;

    // Of a low rank there is too little to divide.
    private bool CutsInputs => _inputs > _outputs;

    // The rank's columns: of x, and of dy.
    private (int First, int Count) OwnInputs => CutsInputs ? _share.ColumnsOf(_inputs) : (0, _inputs);

    private (int First, int Count) OwnOutputs => CutsInputs ? (0, _outputs) : _share.ColumnsOf(_outputs);

    internal override long ElementsOfRanks(PassKind kind) => kind != PassKind.Backward || !_isTrained ? 0
        : (long)(Inputs[0].AllRows - Inputs[0].Rows) * (OwnInputs.Count + OwnOutputs.Count);

    internal override long ScratchFloats(BatchShape batch, int threads)
        => _isTrained ? (long)Inputs[0].AllRows * (OwnInputs.Count + OwnOutputs.Count) : 0;

    internal override long ProductBytes(BatchShape batch, int threads)
    {
        var (x, rows, dx, dy) = (Inputs[0], Inputs[0].Rows, OwnInputs.Count, OwnOutputs.Count);
        var (m, n) = Order == WeightOrder.InOut ? (dx, dy) : (dy, dx);
        return Math.Max(
            Math.Max(
                Products.WorkspaceBytes(threads, rows, _outputs, _inputs, DepthParts.One),
                Products.WorkspaceBytes(threads, rows, _inputs, _outputs, DepthParts.One)),
            m == 0 || n == 0 ? 0 : Products.WorkspaceBytes(threads, m, n, x.AllRows, DepthParts.Equal(batch.MicroBatches)));
    }

    internal override double ForwardFlops(Tape tape) => 2.0 * Inputs[0].Rows * _inputs * _outputs;

    internal override double BackwardFlops(Tape tape)
        => (tape.Layout[Weight].Parameter.IsTrained ? 2.0 * Inputs[0].AllRows * OwnInputs.Count * OwnOutputs.Count : 0)
            + (tape.NeedsGradient(Inputs[0]) ? ForwardFlops(tape) : 0);

    internal override unsafe void Forward(CpuPass pass)
    {
        var (x, y) = (Inputs[0], Output!);
        Products.Multiply(
            pass.Team, Matrices.Of(pass[y], y.Rows, _outputs), Matrices.Of(pass[x], x.Rows, _inputs), InOut(pass), DepthParts.One,
            bias: Bias is null ? null : pass.Parameter(Bias));
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var (x, y) = (Inputs[0], Output!);
        if (_isTrained)
            SumRows(pass);
        if (pass.Gradient(x) is var dx && dx is not null)
        {
            Products.Multiply(
                pass.Team, Matrices.Of(dx, x.Rows, _inputs), Matrices.Of(pass.Gradient(y), y.Rows, _outputs), InOut(pass).Transposed(),
                DepthParts.One, pass.AddsTo(this, x));
        }
    }

    private unsafe void SumRows(CpuPass pass)
    {
        var (N, parts, adds) = (Inputs[0].AllRows, pass.Shape.MicroBatches, pass.AddsToGradients);
        var (ofX, ofDy) = (OwnInputs, OwnOutputs);
        float* xs = pass.Scratch, dys = xs + (long)N * ofX.Count;
        RankRows.OfGradient(pass, dys, ofDy.First, ofDy.Count);
        if (pass.ParameterGradient(Weight) is var dW && dW is not null && ofX.Count > 0 && ofDy.Count > 0)
        {
            RankRows.OfInput(pass, xs, ofX.First, ofX.Count);
            MatrixView x = Matrices.Of(xs, N, ofX.Count), dy = Matrices.Of(dys, N, ofDy.Count);
            // The rows of a product are contiguous, so the gradient is computed as the weight lies.
            if (Order == WeightOrder.InOut)
                Multiply(Matrices.Of(dW, _inputs, _outputs).Part(ofX.First, ofX.Count, ofDy.First, ofDy.Count), x, dy);
            else
                Multiply(Matrices.Of(dW, _outputs, _inputs).Part(ofDy.First, ofDy.Count, ofX.First, ofX.Count), dy, x);
        }
        if (Bias is null || pass.ParameterGradient(Bias) is var db && db is null)
            return;
        var (column, columns) = _share.ColumnsOf(_outputs);
        float* into = db + column, from = dys + column - ofDy.First;
        pass.ForColumns(columns, (first, count) => ColumnSums.Add(
            into + first, from + first, ofDy.Count, N / parts, (long)(N / parts) * ofDy.Count, parts, count, adds));

        void Multiply(MatrixView gradient, MatrixView left, MatrixView right)
            => Products.Multiply(pass.Team, gradient, left.Transposed(), right, DepthParts.Equal(parts), adds);
    }

    private MatrixView InOut(CpuPass pass) => Order == WeightOrder.InOut
        ? pass.Weight(Weight, _inputs, _outputs) : pass.Weight(Weight, _outputs, _inputs).Transposed();
}
