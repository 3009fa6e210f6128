using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Operators;

/// <summary>
/// The head and its loss: logits z = h Wᵀ, (N, C) (V, C) -> (N, V), and the cross-entropy of each row with its target. In training a piece
/// of the logits becomes its own gradient in place, so that all of them are never held:
///
///   loss     = log Σ exp(z) - (1 - ε) z[target] - ε/V Σ z          (Szegedy et al. 2016, section 7; ε label smoothing)
///   dloss/dz = softmax(z) - (1 - ε) 1[target] - ε/V
///
/// Sums over the vocabulary are folds over the parts that devices may share. How many rows a piece has does not show: dW sums over rows in
/// one chain for each micro-batch, which goes on from piece to piece.
/// </summary>
public sealed class CrossEntropyOperation : Operation
{
    // 256 MB of logits: enough rows for a product at full speed with any vocabulary, and little beside the rest of a model that large.
    private const long LogitsAtOnce = 1L << 26;

    private readonly int _vocabulary, _padded, _partLength;

    internal CrossEntropyOperation(Tape tape, Value h, string weight)
    {
        (Inputs, Parameters, Weight) = ([h], [weight], weight);
        var parameter = tape.Layout[weight].Parameter;
        _vocabulary = (int)parameter.Shape[0];
        _padded = (int)(parameter.PaddedRows ?? _vocabulary);
        _partLength = parameter.Shared is { } shared ? (int)shared.LengthOf(_padded) : _padded;
    }

    /// <summary>(V, C).</summary>
    public string Weight { get; }

    internal override IEnumerable<Value> KeptForBackward => Inputs;

    private Value H => Inputs[0];

    /// <summary>Rows of which the logits are held at once.</summary>
    public static int RowsAtOnce(int vocabulary) => (int)Math.Clamp(LogitsAtOnce / Math.Max(1, vocabulary), 16, 1 << 20);

    internal override long ScratchFloats(BatchShape batch, int threads)
        => (long)Math.Min(RowsAtOnce(_vocabulary), batch.Rows) * _padded;

    internal override long ProductBytes(BatchShape batch, int threads)
    {
        var (rows, C) = (Math.Min(RowsAtOnce(_vocabulary), batch.Rows), H.Columns);
        return Math.Max(
            Math.Max(
                Products.WorkspaceBytes(threads, rows, _vocabulary, C, DepthParts.One),
                Products.WorkspaceBytes(threads, rows, C, _vocabulary, DepthParts.OfLength(_partLength))),
            Products.WorkspaceBytes(threads, _vocabulary, C, rows, DepthParts.Equal(batch.MicroBatches)));
    }

    internal override unsafe void Forward(CpuPass pass)
    {
        switch (pass.Tape.Purpose)
        {
            case TapePurpose.Generation:
                var z = Logits(pass, H.Rows - 1, 1);
                pass.Logits = new ReadOnlySpan<float>(z, _vocabulary).ToArray();
                break;
            case TapePurpose.Evaluation:
                ForPieces((first, count) =>
                {
                    Losses(pass, first, count, Logits(pass, first, count), 0, 0);
                });
                break;
            default:
                // The backward pass does both: the logits are its scratch.
                break;
        }
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        float* dW = pass.ParameterGradient(Weight), dh = pass.Gradient(H);
        var (C, pieces) = (H.Columns, 0);
        ForPieces((first, count) =>
        {
            var z = Logits(pass, first, count);
            Losses(pass, first, count, z, pass.Tape.LabelSmoothing, pass.LossScale);
            var gradient = new MatrixView(z, count, _vocabulary, _padded, 1);
            if (dh is not null)
            {
                Products.Multiply(
                    pass.Team, Matrices.Of(dh + (long)first * C, count, C), gradient, Head(pass), DepthParts.OfLength(_partLength));
            }
            if (dW is not null)
            {
                Products.Multiply(
                    pass.Team, Matrices.Of(dW, _vocabulary, C), gradient.Transposed(),
                    Matrices.Of(pass[H] + (long)first * C, count, C),
                    count == H.Rows ? DepthParts.Equal(pass.Shape.MicroBatches) : DepthParts.One, pass.AddsToGradients);
                pieces++;
            }
        });
    }

    // Whole groups, except where one micro-batch alone has more rows than are held.
    private void ForPieces(Action<int, int> work)
    {
        var most = RowsAtOnce(_vocabulary);
        for (var first = 0; first < H.Rows; first += most)
            work(first, Math.Min(most, H.Rows - first));
    }

    private unsafe MatrixView Head(CpuPass pass) => Matrices.Of(pass.Parameter(Weight), _vocabulary, H.Columns);

    private unsafe float* Logits(CpuPass pass, int first, int count)
    {
        var z = pass.Scratch(this);
        Products.Multiply(
            pass.Team, new MatrixView(z, count, _vocabulary, _padded, 1),
            Matrices.Of(pass[H] + (long)first * H.Columns, count, H.Columns), Head(pass).Transposed(), DepthParts.One);
        return z;
    }

    private unsafe void Losses(CpuPass pass, int first, int count, float* z, double smoothing, double scale)
    {
        var (targets, losses) = (pass.Targets, pass.Losses);
        pass.ForRows(count, _vocabulary, (row, rows) =>
        {
            for (var i = (int)row; i < row + rows; i++)
            {
                losses[first + i] = SoftmaxCrossEntropy.Row(
                    z + (long)i * _padded, _vocabulary, _partLength, targets[first + i], smoothing, scale);
            }
        });
    }
}

/// <summary>Records the head and its loss.</summary>
public static class CrossEntropyOperator
{
    /// <inheritdoc cref="CrossEntropyOperation"/>
    /// <param name="weight">The head's weight, (V, C).</param>
    public static void CrossEntropy(this Tape tape, Value h, string weight)
    {
        ArgumentNullException.ThrowIfNull(tape);
        tape.Add(new CrossEntropyOperation(tape, h, weight));
    }
}
