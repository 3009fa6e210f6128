using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// The head and its loss: logits z = h Wᵀ, or h Wᵀ + b, (N, C) (V, C) (V) -> (N, V), and the cross-entropy of each row with its target, 0
/// where that is not counted. In training the logits become their own gradient in place:
///
///   loss     = log Σ exp(z) - (1 - ε) z[target] - ε/V Σ z          (Szegedy et al. 2016, section 7; ε label smoothing)
///   dloss/dz = softmax(z) - (1 - ε) 1[target] - ε/V
///
/// Sums over the vocabulary are folds over the parts that devices may share. Logits are made for so many rows at once as a stated amount of
/// memory holds: the gradient of W then continues its chains of sums from piece to piece.
/// </summary>
public sealed class CrossEntropyOperation : Operation
{
    // Of texts that go on: enough that reading the weight costs no more than the products, and little memory.
    private const int TextsAtOnce = 64;

    // 256 MB of logits: enough rows for a product at full speed with any vocabulary, so that to read and write dW once more for each piece
    // of them costs about a hundredth, and little beside the rest of a model that large.
    private const long LogitsAtOnce = 1L << 26;

    private readonly TapePurpose _purpose;
    private readonly bool _isTrained;
    private readonly int _vocabulary, _padded, _partLength, _rowsAtOnce;

    internal CrossEntropyOperation(Tape tape, Value h, string weight, string? bias = null, long logitsAtOnce = LogitsAtOnce)
    {
        (Inputs, Parameters, Weight, Bias) = ([h], bias is null ? [weight] : [weight, bias], weight, bias);
        _purpose = tape.Purpose;
        var parameter = tape.Layout[weight].Parameter;
        _isTrained = parameter.IsTrained;
        _vocabulary = (int)parameter.Shape[0];
        _padded = (int)(parameter.PaddedRows ?? _vocabulary);
        _partLength = parameter.Shared is { } shared ? (int)shared.LengthOf(_padded) : _padded;
        _rowsAtOnce = RowsAtOnce(_vocabulary, logitsAtOnce);
    }

    /// <summary>(V, C).</summary>
    public string Weight { get; }

    /// <summary>(V); null for none.</summary>
    public string? Bias { get; }

    internal override IEnumerable<Value> KeptForBackward => Inputs;

    private Value H => Inputs[0];

    // What sums of W's gradient need beside the gradient itself, where that holds the sum of other micro-batches.
    private long KeptFloats => _isTrained ? (long)_vocabulary * H.Columns : 0;

    // The row above the logits.
    private int FloatsAbove => Bias is null ? 0 : _padded;

    /// <summary>Rows of which the logits are held at once.</summary>
    public static int RowsAtOnce(int vocabulary, long logitsAtOnce = LogitsAtOnce)
        => (int)Math.Clamp(logitsAtOnce / Math.Max(1, vocabulary), 16, 1 << 20);

    internal override long ScratchFloats(BatchShape batch, int threads) => _purpose == TapePurpose.Decoding
        ? (long)Math.Min(TextsAtOnce, batch.Rows) * (_padded + H.Columns)
        : FloatsAbove + (long)RowsOfPiece(batch) * _padded
            + (_purpose == TapePurpose.Training && RowsOfPiece(batch) < batch.Rows ? KeptFloats : 0);

    // A training's forward pass computes nothing: the backward pass makes the logits, too.
    internal override double BackwardFlops(Tape tape)
        => 2.0 * H.Rows * H.Columns * _vocabulary * (1 + (_isTrained ? 1 : 0) + (tape.NeedsGradient(H) ? 1 : 0));

    // A shorter piece may need more than a longer one: blocks of K are cut in another way.
    internal override long ProductBytes(BatchShape batch, int threads)
    {
        if (_purpose == TapePurpose.Decoding)
        {
            return Enumerable.Range(1, Math.Min(TextsAtOnce, batch.Rows))
                .Max(rows => Products.WorkspaceBytes(threads, rows, _vocabulary, H.Columns, DepthParts.One));
        }
        var piece = RowsOfPiece(batch);
        var last = (batch.Rows - 1) % piece + 1;
        return Math.Max(ProductBytes(batch, threads, piece), ProductBytes(batch, threads, last));
    }

    private long ProductBytes(BatchShape batch, int threads, int rows)
    {
        var C = H.Columns;
        return Math.Max(
            Math.Max(
                Products.WorkspaceBytes(threads, rows, _vocabulary, C, DepthParts.One),
                Products.WorkspaceBytes(threads, rows, C, _vocabulary, DepthParts.OfLength(_partLength))),
            Products.WorkspaceBytes(
                threads, _vocabulary, C, rows, rows < batch.Rows ? DepthParts.One : DepthParts.Equal(batch.MicroBatches)));
    }

    internal override unsafe void Forward(CpuPass pass)
    {
        switch (pass.Tape.Purpose)
        {
            case TapePurpose.Generation:
                var z = Logits(pass, H.Rows - 1, 1);
                pass.Logits = new ReadOnlySpan<float>(z, _vocabulary).ToArray();
                break;
            case TapePurpose.Decoding:
                foreach (var texts in pass.Texts.Where(t => t.Predicts).Chunk(TextsAtOnce))
                    Predict(pass, texts);
                break;
            case TapePurpose.Evaluation:
                for (var first = 0; first < H.Rows; first += _rowsAtOnce)
                {
                    var count = Math.Min(_rowsAtOnce, H.Rows - first);
                    Losses(pass, first, count, Logits(pass, first, count));
                }
                break;
            default:
                // The backward pass does both: the logits are its scratch.
                break;
        }
    }

    internal override void Backward(CpuPass pass)
    {
        var piece = RowsOfPiece(pass.Shape);
        for (var first = 0; first < H.Rows; first += piece)
            Backward(pass, first, Math.Min(piece, H.Rows - first));
    }

    // Of the rows [first, first + count).
    private unsafe void Backward(CpuPass pass, int first, int count)
    {
        float* dW = pass.ParameterGradient(Weight), dh = pass.Gradient(H), z = Logits(pass, first, count);
        Gradients(pass, first, count, z);
        if (Bias is not null && pass.ParameterGradient(Bias) is var db && db is not null)
            AddBias(pass, first, count, z, db);
        var gradient = new MatrixView(z, count, _vocabulary, _padded, 1);
        if (dh is not null)
        {
            Products.Multiply(
                pass.Team, Rows(dh, first, count), gradient, Head(pass), DepthParts.OfLength(_partLength));
        }
        if (dW is null)
            return;
        var (adds, h) = (pass.AddsToGradients, Rows(pass[H], first, count));
        var into = Matrices.Of(dW, _vocabulary, H.Columns);
        if (count == H.Rows)
        {
            Products.Multiply(pass.Team, into, gradient.Transposed(), h, DepthParts.Equal(pass.Shape.MicroBatches), adds);
            return;
        }
        // The sum of the pieces before; it joins the other micro-batches' when it is complete.
        var kept = adds ? Matrices.Of(z + (long)RowsOfPiece(pass.Shape) * _padded, _vocabulary, H.Columns) : into;
        var isLast = first + count == H.Rows;
        if (first == 0)
            Products.Multiply(pass.Team, kept, gradient.Transposed(), h, DepthParts.One);
        else
            Products.Continue(pass.Team, isLast ? into : kept, kept, gradient.Transposed(), h, isLast && adds);
    }

    // One chain over the rows of a micro-batch, as W's: it goes on with the sum of the pieces before, which stands in the row above the
    // logits.
    private unsafe void AddBias(CpuPass pass, int first, int count, float* z, float* db)
    {
        var (adds, isLast, parts) = (pass.AddsToGradients, first + count == H.Rows, count == H.Rows ? pass.Shape.MicroBatches : 1);
        float* above = z - _padded, from = first == 0 ? z : above;
        var rows = count / parts + (first == 0 ? 0 : 1);
        pass.ForColumns(_vocabulary, (column, columns) => ColumnSums.Add(
            (isLast ? db : above) + column, from + column, _padded, rows, (long)rows * _padded, parts, columns, isLast && adds));
    }

    // The gradient of W sums over the rows of a micro-batch in one chain, which can be interrupted; several micro-batches fold along the
    // tree, and go together only where their logits fit.
    private int RowsOfPiece(BatchShape batch)
    {
        var rows = batch.Rows;
        if (_purpose != TapePurpose.Training)
            return _purpose == TapePurpose.Generation ? 1 : Math.Min(_rowsAtOnce, rows);
        var saves = (long)(rows - _rowsAtOnce) * _padded > KeptFloats;
        return batch.MicroBatches > 1 || !saves ? rows : CeilingOf(rows, CeilingOf(rows, _rowsAtOnce));
    }

    private static int CeilingOf(int a, int b) => (a - 1) / b + 1;

    private unsafe MatrixView Rows(float* data, int first, int count) => Matrices.Of(data + (long)first * H.Columns, count, H.Columns);

    private MatrixView Head(CpuPass pass) => pass.Weight(Weight, _vocabulary, H.Columns);

    private unsafe float* Logits(CpuPass pass, int first, int count)
    {
        var z = pass.Scratch + FloatsAbove;
        Products.Multiply(
            pass.Team, new MatrixView(z, count, _vocabulary, _padded, 1),
            Rows(pass[H], first, count), Head(pass).Transposed(), DepthParts.One,
            bias: Bias is null ? null : pass.Parameter(Bias));
        return z;
    }

    // The last rows of some texts, side by side: one product.
    private unsafe void Predict(CpuPass pass, CachedText[] texts)
    {
        float* z = pass.Scratch, h = z + (long)texts.Length * _padded;
        for (var i = 0; i < texts.Length; i++)
            Ranges.Copy(h + (long)i * H.Columns, pass[H] + (long)(texts[i].FirstRow + texts[i].Rows - 1) * H.Columns, H.Columns);
        Products.Multiply(
            pass.Team, new MatrixView(z, texts.Length, _vocabulary, _padded, 1), Rows(h, 0, texts.Length), Head(pass).Transposed(),
            DepthParts.One, bias: Bias is null ? null : pass.Parameter(Bias));
        for (var i = 0; i < texts.Length; i++)
            texts[i].Cache.TakeLogits(new ReadOnlySpan<float>(z + (long)i * _padded, _vocabulary));
    }

    private unsafe void Losses(CpuPass pass, int first, int count, float* z) => pass.ForRows(count, _vocabulary, (row, rows) =>
    {
        fixed (int* targets = pass.Targets)
        fixed (float* counted = pass.TargetWeights)
        fixed (double* losses = pass.Losses)
            CrossEntropy.Losses(
                z + row * _padded, _padded, rows, _vocabulary, _partLength, targets + first + row, counted + first + row, 0,
                losses + first + row);
    });

    private unsafe void Gradients(CpuPass pass, int first, int count, float* z) => pass.ForRows(count, _vocabulary, (row, rows) =>
    {
        fixed (int* targets = pass.Targets)
        fixed (float* counted = pass.TargetWeights)
        fixed (double* losses = pass.Losses)
            CrossEntropy.Rows(
                z + row * _padded, _padded, rows, _vocabulary, _padded, _partLength, targets + first + row, counted + first + row,
                pass.Tape.LabelSmoothing, pass.LossScale, losses + first + row);
    });
}

/// <summary>Records the head and its loss.</summary>
public static class CrossEntropyOperator
{
    /// <inheritdoc cref="CrossEntropyOperation"/>
    /// <param name="weight">The head's weight, (V, C).</param>
    /// <param name="bias">Its bias, (V); null for none.</param>
    public static void CrossEntropy(this Tape tape, Value h, string weight, string? bias = null)
    {
        ArgumentNullException.ThrowIfNull(tape);
        if (tape.Share is not { } share)
        {
            tape.Add(new CrossEntropyOperation(tape, h, weight, bias));
            return;
        }
        var logits = new RankLogitsOperation(tape, tape.GatherRows(h), weight, bias);
        tape.Record(logits);
        tape.Add(new RankSumsOperation(logits));
        tape.Add(new RankLossOperation(share, logits));
    }

    /// <summary>Records the head and its loss with another amount of logits at once, for tests.</summary>
    internal static void CrossEntropy(this Tape tape, Value h, string weight, long logitsAtOnce, string? bias = null)
        => tape.Add(new CrossEntropyOperation(tape, h, weight, bias, logitsAtOnce));
}
