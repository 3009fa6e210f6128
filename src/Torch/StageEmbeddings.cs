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
    /// <param name="rows">Rows of the whole table.</param>
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

    /// <summary>Roots to which other stages have sent rows: these lie on the device, in a table of zeros.</summary>
    /// <param name="table">The tied embedding; null where there is none.</param>
    /// <returns>Roots with the rows that were sent; the given ones where nobody sent any, or none of the slice.</returns>
    public static IReadOnlyList<SubtreeRoot> WithRows(
        IReadOnlyList<SubtreeRoot> roots, Slice slice, Segment? table, Func<long, long, TorchVector> newVector, List<TorchVector> made)
    {
        if (table is null || roots.All(r => r.Scattered.Count == 0)
            || table.Offset >= slice.First + slice.Count || table.Offset + table.Count <= slice.First)
            return roots;
        return
        [
            .. roots.Select(root =>
            {
                var rows = newVector(table.Offset, table.Count);
                made.Add(rows);
                if (root.Scattered is { Count: > 0 } sent)
                {
                    using var scope = NewDisposeScope();
                    var device = rows.Flat.device;
                    var tokens = tensor(sent.Tokens.ToArray(), int64).to(device);
                    var packed = empty(sent.Count, sent.Columns, float32, device: CPU);                           // (tokens, C)
                    var bytes = packed.numel() * sizeof(float);
                    Buffer.MemoryCopy(sent.Rows, Dispatcher.Floats(packed), bytes, bytes);
                    GC.KeepAlive(sent);
                    rows.Flat.view(-1, sent.Columns).index_copy_(0, tokens, packed.to(device));                   // (V, C)
                }
                return root with { Gradient = ((PiecedVector)root.Gradient).With(rows) };
            }),
        ];
    }
}
