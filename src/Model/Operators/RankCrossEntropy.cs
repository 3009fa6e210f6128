using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// The head and its loss where a tensor group shares the vocabulary (Shoeybi et al. 2019, section 3): each rank makes the logits of its
/// parts for all rows, the largest of each row and the target's own. (N, C) (V, C) (V) -> (N, V / ranks). Two more operations follow,
/// between which ranks exchange two numbers for each row: <see cref="RankSumsOperation"/> and <see cref="RankLossOperation"/>, which turns
/// the logits into their gradient in place. All formulas are <see cref="CrossEntropyOperation"/>'s.
/// </summary>
public sealed class RankLogitsOperation : Operation
{
    internal RankLogitsOperation(Tape tape, Value h, string weight, string? bias)
    {
        (Inputs, Parameters, Weight, Bias) = ([h], bias is null ? [weight] : [weight, bias], weight, bias);
        var (parameter, share) = (tape.Layout[weight].Parameter, tape.Share!);
        var parts = share.PartsOf(parameter);
        Vocabulary = (int)parameter.Shape[0];
        PartLength = (int)parameter.Shared!.LengthOf(parameter.PaddedRows ?? Vocabulary);
        var width = parts * PartLength;
        First = share.Rank * width;
        Columns = Math.Min(Vocabulary, First + width) - First;
        if ((share.Ranks - 1) * width >= Vocabulary)
            throw new ElasticException(
                $"a vocabulary of {Vocabulary} tokens in parts of {PartLength} leaves nothing for the last of {share.Ranks} devices");
        Output = new Value(this, h.Rows, width);
    }

    /// <summary>(V, C).</summary>
    public string Weight { get; }

    /// <summary>(V); null for none.</summary>
    public string? Bias { get; }

    /// <summary>V.</summary>
    internal int Vocabulary { get; }

    /// <summary>Tokens of a part of the vocabulary.</summary>
    internal int PartLength { get; }

    /// <summary>The first token of the rank.</summary>
    internal int First { get; }

    /// <summary>Tokens of the rank; the logits' rows have room for more.</summary>
    internal int Columns { get; }

    // The logits become their gradient.
    internal override IEnumerable<Value> KeptForBackward => [H, Output!];

    internal override bool StaysWide => true;

    // Of each row: both sums in double precision, the largest logit, the target's.
    internal override long SavedFloats => 6L * H.Rows;

    private Value H => Inputs[0];

    internal override long ProductBytes(BatchShape batch, int threads)
    {
        var (N, C) = (H.Rows, H.Columns);
        return Math.Max(
            Math.Max(
                Products.WorkspaceBytes(threads, N, Columns, C, DepthParts.One),
                Products.WorkspaceBytes(threads, N, C, Columns, DepthParts.OfLength(PartLength))),
            Products.WorkspaceBytes(threads, Columns, C, N, DepthParts.Equal(batch.MicroBatches)));
    }

    internal override double ForwardFlops(Tape tape) => 2.0 * H.Rows * H.Columns * Columns;

    internal override double BackwardFlops(Tape tape) => ForwardFlops(tape)
        * ((tape.Layout[Weight].Parameter.IsTrained ? 1 : 0) + (tape.NeedsGradient(H) ? 1 : 0));

    internal override unsafe void Forward(CpuPass pass)
    {
        var z = pass[Output!];
        Products.Multiply(
            pass.Team, Logits(z), Matrices.Of(pass[H], H.Rows, H.Columns), Own(pass).Transposed(), DepthParts.One,
            bias: Bias is null ? null : pass.Parameter(Bias) + First);
        float* largest = Largest(pass.Saved(this)), ofTarget = OfTarget(pass.Saved(this));
        pass.ForRows(H.Rows, Columns, (first, count) =>
        {
            for (var row = first; row < first + count; row++)
            {
                largest[row] = CrossEntropy.Largest(z + row * Output!.Columns, Columns);
                ofTarget[row] = Has(pass.Targets[row]) ? z[row * Output.Columns + pass.Targets[row] - First] : 0;
            }
        });
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        MatrixView dz = Logits(pass[Output!]), h = Matrices.Of(pass[H], H.Rows, H.Columns);
        var dh = pass.Gradient(H);
        if (dh is not null)
            Products.Multiply(
                pass.Team, Matrices.Of(dh, H.Rows, H.Columns), dz, Own(pass), DepthParts.OfLength(PartLength), pass.AddsTo(this, H));
        if (pass.ParameterGradient(Weight) is var dW && dW is not null)
        {
            Products.Multiply(
                pass.Team, Matrices.Of(dW + (long)First * H.Columns, Columns, H.Columns), dz.Transposed(), h,
                DepthParts.Equal(pass.Shape.MicroBatches), pass.AddsToGradients);
        }
        if (Bias is null || pass.ParameterGradient(Bias) is var db && db is null)
            return;
        var (parts, rows, adds, width) = (pass.Shape.MicroBatches, pass.RowsOfMicroBatch(H), pass.AddsToGradients, Output!.Columns);
        float* into = db + First, from = pass[Output];
        pass.ForColumns(Columns, (first, count) => ColumnSums.Add(
            into + first, from + first, width, rows, (long)rows * width, parts, count, adds));
    }

    /// <summary>True for a token of the rank.</summary>
    internal bool Has(int token) => token >= First && token < First + Columns;

    /// <summary>Σ exp(z - largest) of the rank's tokens for each row, then Σ z.</summary>
    internal static unsafe double* Sums(float* saved) => (double*)saved;

    /// <summary>The largest logit of each row.</summary>
    internal unsafe float* Largest(float* saved) => saved + 4L * H.Rows;

    /// <summary>The target's logit of each row; of no meaning for a rank that does not have the token.</summary>
    internal unsafe float* OfTarget(float* saved) => saved + 5L * H.Rows;

    private MatrixView Own(CpuPass pass) => pass.Weight(Weight, Vocabulary, H.Columns).Part(First, Columns, 0, H.Columns);

    private unsafe MatrixView Logits(float* z) => new(z, H.Rows, Columns, Output!.Columns, 1);
}

/// <summary>Makes the rank's sums of exponentials, once the largest logit of all ranks is there: the logits become exponentials.</summary>
public sealed class RankSumsOperation : Operation
{
    internal RankSumsOperation(RankLogitsOperation logits) => Logits = logits;

    /// <summary>What makes the logits.</summary>
    internal RankLogitsOperation Logits { get; }

    internal override bool ReadsRanks => true;

    /// <summary>The largest logit of a row, of all ranks.</summary>
    internal static unsafe float LargestOf(CpuPass pass, Func<Operation, RankLogitsOperation> logits, long row)
    {
        var largest = float.NegativeInfinity;
        for (var rank = 0; rank < pass.Ranks.Count; rank++)
        {
            var view = pass.RankAt(rank);
            var its = logits(view.Operation);
            largest = MathF.Max(largest, its.Largest(view.SavedBy(its))[row]);
        }
        return largest;
    }

    internal override unsafe void Forward(CpuPass pass)
    {
        var (rows, width, hasSmoothing) = (Logits.Output!.Rows, Logits.Output.Columns, pass.Tape.LabelSmoothing > 0);
        var z = pass[Logits.Output];
        var sums = RankLogitsOperation.Sums(pass.Saved(Logits));
        pass.ForRows(rows, width, (first, count) =>
        {
            var parts = (Logits.Columns - 1) / Logits.PartLength + 1;
            Span<double> exponentials = stackalloc double[parts], ofLogits = stackalloc double[parts];
            for (var row = first; row < first + count; row++)
            {
                if (pass.TargetWeights[row] == 0)
                    continue;
                var largest = LargestOf(pass, o => ((RankSumsOperation)o).Logits, row);
                for (var part = 0; part < parts; part++)
                {
                    var at = part * Logits.PartLength;
                    (exponentials[part], ofLogits[part]) = CrossEntropy.Sums(
                        z + row * width + at, Math.Min(Logits.PartLength, Logits.Columns - at), largest, false, hasSmoothing);
                }
                (sums[row], sums[rows + row]) = (TreeSums.Fold(exponentials), TreeSums.Fold(ofLogits));
            }
        });
    }

    internal override void Backward(CpuPass pass)
    {
    }
}

/// <summary>Turns the exponentials into the gradient of the logits; and the losses of the rank's own rows.</summary>
public sealed class RankLossOperation : Operation
{
    private readonly TensorShare _share;

    internal RankLossOperation(TensorShare share, RankLogitsOperation logits) => (_share, Logits) = (share, logits);

    /// <summary>What makes the logits.</summary>
    internal RankLogitsOperation Logits { get; }

    internal override bool ReadsRanks => true;

    internal override unsafe void Forward(CpuPass pass)
    {
        var (rows, width, smoothing) = (Logits.Output!.Rows, Logits.Output.Columns, pass.Tape.LabelSmoothing);
        var (own, ranks) = (_share.RowsOf(rows), pass.Ranks.Count);
        var z = pass[Logits.Output];
        pass.ForRows(rows, width, (first, count) =>
        {
            Span<double> exponentials = stackalloc double[ranks], ofLogits = stackalloc double[ranks];
            for (var row = first; row < first + count; row++)
            {
                var (weight, target) = (pass.TargetWeights[row], pass.Targets[row]);
                var at = z + row * width;
                pass.Losses[row] = 0;
                if (weight == 0)
                {
                    Ranges.Clear(at, Logits.Columns);
                    continue;
                }
                var ofTarget = 0f;
                for (var rank = 0; rank < ranks; rank++)
                {
                    var view = pass.RankAt(rank);
                    var its = ((RankLossOperation)view.Operation).Logits;
                    var sums = RankLogitsOperation.Sums(view.SavedBy(its));
                    (exponentials[rank], ofLogits[rank]) = (sums[row], sums[rows + row]);
                    ofTarget = its.Has(target) ? its.OfTarget(view.SavedBy(its))[row] : ofTarget;
                }
                var (sum, factor) = (TreeSums.Fold(exponentials), pass.LossScale * weight);
                if (row >= own.First && row < own.First + own.Count)
                {
                    var largest = RankSumsOperation.LargestOf(pass, o => ((RankLossOperation)o).Logits, row);
                    pass.Losses[row] = weight * CrossEntropy.Loss(
                        largest, sum, TreeSums.Fold(ofLogits), ofTarget, Logits.Vocabulary, smoothing);
                }
                CrossEntropy.Gradient(at, Logits.Columns, (float)(factor / sum), (float)(factor * smoothing / Logits.Vocabulary));
                if (Logits.Has(target))
                    at[target - Logits.First] -= (float)(factor * (1 - smoothing));
            }
        });
    }

    internal override void Backward(CpuPass pass)
    {
    }
}
