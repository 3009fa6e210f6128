using Elastic.Kernels;
using Elastic.Model.Cpu;
using Elastic.Model.Tapes;

namespace Elastic.Model.Operators;

/// <summary>
/// The gradients of a norm's gain and bias in a tensor group, whose ranks have some rows, or some heads of all rows, each. They are sums
/// over all rows in their order: so each rank sums a range of the columns over all ranks' rows, which it copies side by side.
/// </summary>
internal static unsafe class RankNorms
{
    /// <summary>Floats of scratch.</summary>
    /// <param name="rows">Rows that are normalised by themselves, of all ranks.</param>
    public static long ScratchFloats(TensorShare? share, long rows, int columns)
        => share is null ? 0 : rows * (2L * share.ColumnsOf(columns).Count + 2);

    /// <summary>Elements that the rank reads of others: of x and dy its columns, and two numbers of each row.</summary>
    public static long ElementsOfRanks(TensorShare? share, long rows, int columns, PassKind kind)
        => share is null || kind != PassKind.Backward ? 0 : ScratchFloats(share, rows, columns) / share.Ranks * (share.Ranks - 1);

    /// <summary>Adds the rank's columns.</summary>
    /// <param name="heads">Heads of a row of one rank, each normalised by itself; 1 for whole rows.</param>
    /// <param name="dBias">Null for none; then there are no means either.</param>
    public static void AddGradients(CpuPass pass, Operation norm, int columns, int heads, float* dGain, float* dBias)
    {
        var share = pass.Tape.Share!;
        var (column, count) = share.ColumnsOf(columns);
        var x = norm.Inputs[0];
        // Whole rows are a rank's own; heads are its own of every row.
        var (isWhole, allHeads) = (x.AllRows != x.Rows, heads * (x.AllRows != x.Rows ? 1 : share.Ranks));
        var all = (long)x.AllRows * allHeads;
        float* xs = pass.Scratch, dys = xs + all * count, means = dys + all * count, inverses = means + all;
        for (var rank = 0; rank < pass.Ranks.Count && count > 0; rank++)
        {
            var view = pass.RankAt(rank);
            var its = view.Operation.Inputs[0];
            float* from = view.Input(0) + column, dy = view.OutputGradient + column;
            float* saved = view.Saved, mean = dBias is null ? null : saved, inverse = dBias is null ? saved : saved + its.Rows;
            var (firstRow, firstHead) = isWhole ? (its.FirstRow, 0) : (0, rank * heads);
            pass.ForRows(its.Rows * heads, count, (first, rows) =>
            {
                for (var row = first; row < first + rows; row++)
                {
                    var into = (firstRow + row / heads) * allHeads + firstHead + row % heads;
                    Ranges.Copy(xs + into * count, from + row * columns, count);
                    Ranges.Copy(dys + into * count, dy + row * columns, count);
                    inverses[into] = inverse[row];
                    if (mean is not null)
                        means[into] = mean[row];
                }
            });
        }
        var (parts, ofPart, adds) = (pass.Shape.MicroBatches, (int)(all / pass.Shape.MicroBatches), pass.AddsToGradients);
        pass.ForColumns(count, (first, n) => NormGradients.Add(
            dGain + column + first, dBias is null ? null : dBias + column + first, dys + first, count, xs + first, count,
            dBias is null ? null : means, inverses, ofPart, parts, n, adds));
    }
}
