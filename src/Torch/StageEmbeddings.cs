using Elastic.Model.Batches;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch;

/// <summary>
/// The gradient of a tied embedding's rows between stages in processes of their own: the rows of the tokens that occurred travel, and the
/// owner adds them as on one device. A token that did not occur has the sum zero.
/// </summary>
internal static unsafe class StageEmbeddings
{
    /// <summary>Copies the rows of all tokens of these micro-batches to this machine's memory.</summary>
    /// <param name="rows">Of the whole table.</param>
    public static void Gather(Segment table, TorchVector rows, IEnumerable<MicroBatch> microBatches, ScatteredRows into)
    {
        int[] tokens = [.. microBatches.SelectMany(b => b.Inputs.Concat(b.Sources ?? [])).Distinct().Order()];
        using var scope = NewDisposeScope();
        var C = (int)table.Shape[1];
        var indices = tensor(tokens, int64).to(rows.Flat.device);
        var host = rows.Flat.view(-1, C).index_select(0, indices).to(CPU).contiguous();                           // (tokens, C)
        tokens.CopyTo(into.Prepare(table.Offset, C, tokens.Length));
        new ReadOnlySpan<float>(Dispatcher.Floats(host), tokens.Length * C).CopyTo(new Span<float>(into.Rows, tokens.Length * C));
        into.Keep(tokens.Length);
    }

    /// <summary>Roots to which other stages have sent rows: these lie on the device, as far as they reach into a slice.</summary>
    /// <returns>The same roots where nobody sent any.</returns>
    public static IReadOnlyList<SubtreeRoot> WithRows(
        IReadOnlyList<SubtreeRoot> roots, Slice slice, Func<long, long, TorchVector> newVector, List<TorchVector> made)
    {
        if (roots.FirstOrDefault(r => r.Scattered.Count > 0)?.Scattered is not { } any)
            return roots;
        var (first, end) = (Math.Max(any.Offset, slice.First), slice.First + slice.Count);
        var last = roots.Max(r => r.Scattered.Count == 0 ? 0 : any.Offset + (r.Scattered.Tokens[^1] + 1L) * any.Columns);
        var count = Math.Min(last, end) - first;
        if (count <= 0)
            return roots;
        return
        [
            .. roots.Select(root =>
            {
                var values = new float[count];
                for (var i = 0; i < root.Scattered.Count; i++)
                {
                    var row = any.Offset + (long)root.Scattered.Tokens[i] * any.Columns;
                    var (low, high) = (Math.Max(row, first), Math.Min(row + any.Columns, first + count));
                    if (low < high)
                        new ReadOnlySpan<float>(root.Scattered.Rows + (long)i * any.Columns + (low - row), (int)(high - low))
                            .CopyTo(values.AsSpan((int)(low - first)));
                }
                var rows = newVector(first, count);
                made.Add(rows);
                rows.CopyFrom(first, values);
                return root with { Gradient = ((PiecedVector)root.Gradient).With(rows) };
            }),
        ];
    }
}
