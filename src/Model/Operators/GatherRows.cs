using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// All rows of a matrix of which each rank of a tensor group has some: the all-gather before a product whose outputs are shared, whose
/// backward pass is the reduce-scatter of the ranks' sums (Korthikanti et al. 2022, section 4.2.2). (N / ranks, C) -> (N, C). The copy is
/// made again for the backward pass and not kept.
/// </summary>
public sealed class GatherRowsOperation : Operation
{
    internal GatherRowsOperation(Value x) => (Inputs, Output) = ([x], new Value(this, x.AllRows, x.Columns));

    // The rows are rounded already, and the gradient is a sum that the ranks' fold completes.
    internal override bool StaysWide => true;

    internal override bool CanAddToGradients => true;

    internal override bool ReadsRanks => true;

    internal override bool ReadsRanksBackward => true;

    // Backwards about as many: as many ranks' sums of its own rows.
    internal override long ElementsOfRanks(PassKind kind) => Output!.Count - Inputs[0].Count;

    internal override unsafe void Forward(CpuPass pass) => RankRows.OfInput(pass, pass[Output!], 0, Output!.Columns);

    internal override unsafe void Backward(CpuPass pass)
    {
        var x = Inputs[0];
        var dx = pass.Gradient(x);
        if (dx is null)
            return;
        var sums = new nint[pass.Ranks.Count];
        for (var rank = 0; rank < sums.Length; rank++)
            sums[rank] = (nint)(pass.RankAt(rank).OutputGradient + (long)x.FirstRow * x.Columns);
        RankSums.Fold(pass, dx, sums, x.Count, pass.AddsTo(this, x));
    }
}

/// <summary>
/// The rank's rows of a matrix of which each rank of a tensor group has a sum over its parts, then + b: the reduce-scatter after a product
/// whose inputs are shared, whose backward pass is an all-gather. (N, C) (C) -> (N / ranks, C)
/// </summary>
public sealed class FoldRanksOperation : Operation
{
    private readonly TensorShare _share;

    internal FoldRanksOperation(Tape tape, Value sums, string? bias)
    {
        (Inputs, Bias, _share) = ([sums], bias, tape.Share!);
        Parameters = bias is null ? [] : [bias];
        Output = Value.RowsOf(this, _share, sums.Rows, sums.Columns);
    }

    /// <summary>(C); null for none.</summary>
    public string? Bias { get; }

    internal override bool ReadsRanks => true;

    internal override bool ReadsRanksBackward => true;

    internal override long ElementsOfRanks(PassKind kind) => Inputs[0].Count - Output!.Count;

    internal override unsafe void Forward(CpuPass pass)
    {
        var (y, C) = (Output!, Output!.Columns);
        float* into = pass[y], bias = Bias is null ? null : pass.Parameter(Bias);
        var sums = new nint[pass.Ranks.Count];
        for (var rank = 0; rank < sums.Length; rank++)
            sums[rank] = (nint)(pass.RankAt(rank).Input(0) + (long)y.FirstRow * C);
        RankSums.Fold(pass, into, sums, y.Count, adds: false);
        if (bias is not null)
        {
            pass.ForRows(y.Rows, C, (first, count) =>
            {
                for (var row = first; row < first + count; row++)
                    Ranges.Add(into + row * C, into + row * C, bias, C);
            });
        }
    }

    internal override unsafe void Backward(CpuPass pass)
    {
        var (sums, C) = (Inputs[0], Output!.Columns);
        var dSums = pass.Gradient(sums);
        if (dSums is null)
            return;
        RankRows.OfGradient(pass, dSums, 0, C);
        if (Bias is null || pass.ParameterGradient(Bias) is var db && db is null)
            return;
        // Over all rows, for some of the columns.
        var (column, columns) = _share.ColumnsOf(C);
        var (parts, rows, adds) = (pass.Shape.MicroBatches, pass.RowsOfMicroBatch(sums), pass.AddsToGradients);
        pass.ForColumns(columns, (first, count) => ColumnSums.Add(
            db + column + first, dSums + column + first, C, rows, (long)rows * C, parts, count, adds));
    }
}

/// <summary>Folds what each rank has along the tree of ranks.</summary>
internal static unsafe class RankSums
{
    private const int Chunk = 1024, MostLevels = 8;

    /// <summary>into[i] = (into[i] +) Σ sums[rank][i], i from [0, count).</summary>
    public static void Fold(CpuPass pass, float* into, nint[] sums, long count, bool adds) => pass.ForElements(count, (first, elements) =>
    {
        var work = stackalloc float[MostLevels * Chunk];
        fixed (nint* ranks = sums)
        {
            for (var at = first; at < first + elements; at += Chunk)
            {
                var n = (int)Math.Min(Chunk, first + elements - at);
                Fold(adds ? work : into + at, ranks, sums.Length, at, n, work + Chunk);
                if (adds)
                    Ranges.Add(into + at, into + at, work, n);
            }
        }
    });

    private static void Fold(float* into, nint* ranks, int count, long at, int n, float* work)
    {
        if (count == 1)
        {
            Ranges.Copy(into, (float*)ranks[0] + at, n);
            return;
        }
        if (count == 2)
        {
            Ranges.Add(into, (float*)ranks[0] + at, (float*)ranks[1] + at, n);
            return;
        }
        var left = SumTree.Split(count);
        Fold(into, ranks, left, at, n, work);
        Fold(work, ranks + left, count - left, at, n, work + Chunk);
        Ranges.Add(into, into, work, n);
    }
}

/// <summary>Records what ranks of a tensor group exchange.</summary>
public static class RankOperators
{
    /// <inheritdoc cref="GatherRowsOperation"/>
    public static Value GatherRows(this Tape tape, Value x)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return tape.Record(new GatherRowsOperation(x));
    }

    /// <inheritdoc cref="FoldRanksOperation"/>
    public static Value FoldRanks(this Tape tape, Value sums, string? bias)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return tape.Record(new FoldRanksOperation(tape, sums, bias));
    }
}
