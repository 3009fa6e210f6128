using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// The head and its loss: logits z = h Wᵀ, (N, C) (V, C) -> (N, V), and the cross-entropy of each row with its target, 0 where that is not
/// counted. In training the
/// logits become their own gradient in place:
///
///   loss     = log Σ exp(z) - (1 - ε) z[target] - ε/V Σ z          (Szegedy et al. 2016, section 7; ε label smoothing)
///   dloss/dz = softmax(z) - (1 - ε) 1[target] - ε/V
///
/// Sums over the vocabulary are folds over the parts that devices may share.
/// </summary>
public sealed class CrossEntropyOperation : Operation
{
    // 256 MB of logits: enough rows for a product at full speed with any vocabulary, and little beside the rest of a model that large.
    private const long LogitsAtOnce = 1L << 26;

    private readonly bool _isTraining;
    private readonly int _vocabulary, _padded, _partLength;

    internal CrossEntropyOperation(Tape tape, Value h, string weight)
    {
        (Inputs, Parameters, Weight) = ([h], [weight], weight);
        _isTraining = tape.Purpose == TapePurpose.Training;
        var parameter = tape.Layout[weight].Parameter;
        _vocabulary = (int)parameter.Shape[0];
        _padded = (int)(parameter.PaddedRows ?? _vocabulary);
        _partLength = parameter.Shared is { } shared ? (int)shared.LengthOf(_padded) : _padded;
    }

    /// <summary>(V, C).</summary>
    public string Weight { get; }

    internal override IEnumerable<Value> KeptForBackward => Inputs;

    private Value H => Inputs[0];

    /// <summary>Rows of which the logits are held at once, unless one micro-batch has more.</summary>
    public static int RowsAtOnce(int vocabulary) => (int)Math.Clamp(LogitsAtOnce / Math.Max(1, vocabulary), 16, 1 << 20);

    internal override long ScratchFloats(BatchShape batch, int threads)
        => (long)RowsOfPiece(batch) * _padded;

    internal override long ProductBytes(BatchShape batch, int threads)
    {
        var (rows, C) = (RowsOfPiece(batch), H.Columns);
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
                for (var first = 0; first < H.Rows; first += RowsAtOnce(_vocabulary))
                {
                    var count = Math.Min(RowsAtOnce(_vocabulary), H.Rows - first);
                    Losses(pass, first, count, Logits(pass, first, count));
                }
                break;
            default:
                // The backward pass does both: the logits are its scratch.
                break;
        }
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        float* dW = pass.ParameterGradient(Weight), dh = pass.Gradient(H), z = Logits(pass, 0, H.Rows);
        Gradients(pass, z);
        var gradient = new MatrixView(z, H.Rows, _vocabulary, _padded, 1);
        if (dh is not null)
            Products.Multiply(pass.Team, Matrices.Of(dh, H.Rows, H.Columns), gradient, Head(pass), DepthParts.OfLength(_partLength));
        if (dW is not null)
        {
            Products.Multiply(
                pass.Team, Matrices.Of(dW, _vocabulary, H.Columns), gradient.Transposed(), Matrices.Of(pass[H], H.Rows, H.Columns),
                DepthParts.Equal(pass.Shape.MicroBatches), pass.AddsToGradients);
        }
    }

    // Training needs all logits of a group of micro-batches at once, because the gradient of W sums over their rows.
    private int RowsOfPiece(BatchShape batch) => _isTraining ? batch.Rows : Math.Min(RowsAtOnce(_vocabulary), batch.Rows);

    private unsafe MatrixView Head(CpuPass pass) => Matrices.Of(pass.Parameter(Weight), _vocabulary, H.Columns);

    private unsafe float* Logits(CpuPass pass, int first, int count)
    {
        var z = pass.Scratch(this);
        Products.Multiply(
            pass.Team, new MatrixView(z, count, _vocabulary, _padded, 1),
            Matrices.Of(pass[H] + (long)first * H.Columns, count, H.Columns), Head(pass).Transposed(), DepthParts.One);
        return z;
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

    private unsafe void Gradients(CpuPass pass, float* z) => pass.ForRows(H.Rows, _vocabulary, (row, rows) =>
    {
        fixed (int* targets = pass.Targets)
        fixed (float* counted = pass.TargetWeights)
        fixed (double* losses = pass.Losses)
            CrossEntropy.Rows(
                z + row * _padded, _padded, rows, _vocabulary, _padded, _partLength, targets + row, counted + row, pass.Tape.LabelSmoothing,
                pass.LossScale, losses + row);
    });
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
