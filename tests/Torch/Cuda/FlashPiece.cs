using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>One sequence of what <see cref="FakeFlash"/> computes: its rows among all queries, and among all keys.</summary>
internal readonly record struct FlashPiece(int FirstQuery, int Queries, int FirstKey, int Keys)
{
    /// <summary>The tensors' own sequences, (B, T, H, D), or those of the ends, (B T, H, D); refuses ends that are none.</summary>
    public static IReadOnlyList<FlashPiece> All(
        Tensor queries, Tensor keys, Tensor? queryEnds, Tensor? keyEnds, long mostQueries, long mostKeys)
    {
        FakeFlash.Check(queries.dim() == (queryEnds is null ? 4 : 3) && keys.dim() == queries.dim(), "other shapes");
        if (queryEnds is null || keyEnds is null)
        {
            var (q, k) = ((int)queries.shape[1], (int)keys.shape[1]);
            FakeFlash.Check((mostQueries, mostKeys) == (q, k), "other lengths");
            return [.. Enumerable.Range(0, (int)queries.shape[0]).Select(i => new FlashPiece(i * q, q, i * k, k))];
        }
        int[] ofQueries = Ends(queryEnds, queries.shape[0]), ofKeys = Ends(keyEnds, keys.shape[0]);
        FakeFlash.Check(ofQueries.Length == ofKeys.Length, "ends of other sequences");
        FlashPiece[] all = [.. Enumerable.Range(0, ofQueries.Length - 1).Select(i => new FlashPiece(
            ofQueries[i], ofQueries[i + 1] - ofQueries[i], ofKeys[i], ofKeys[i + 1] - ofKeys[i]))];
        FakeFlash.Check((mostQueries, mostKeys) == (all.Max(p => p.Queries), all.Max(p => p.Keys)), "other longest sequences");
        FakeFlash.Check(all.All(p => p.Queries >= 0 && p.Keys >= 0 && (p.Queries == 0 || p.Keys > 0)), "queries that see nothing");
        return all;
    }

    /// <summary>Its rows of (N, H, D) -> (1, H, T, D)</summary>
    public Tensor Queried(Tensor rows) => rows.narrow(0, FirstQuery, Queries).unsqueeze(0).transpose(1, 2);

    /// <inheritdoc cref="Queried"/>
    public Tensor Keyed(Tensor rows) => rows.narrow(0, FirstKey, Keys).unsqueeze(0).transpose(1, 2);

    /// <summary>(1, 1, Tq, Tk): what is added to scores, which hides keys; null where each query sees all.</summary>
    /// <param name="before">The places before its own that a query sees; -1 for all. The last query's own place is the last key's.</param>
    public Tensor? Hidden(bool isCausal, long before)
    {
        if (!isCausal)
            return null;
        var all = ones([Queries, Keys], @bool);
        var hidden = all.triu(Keys - Queries + 1);
        if (before >= 0)
            hidden |= all.tril(Keys - Queries - before - 1);
        return zeros([Queries, Keys]).Filled(hidden, double.NegativeInfinity).view(1, 1, Queries, Keys);
    }

    private static int[] Ends(Tensor ends, long rows)
    {
        FakeFlash.Check(ends.dtype == ScalarType.Int32 && ends.is_contiguous() && ends.dim() == 1, "ends that are no int32 in a row");
        int[] all = [.. ends.data<int>()];
        FakeFlash.Check(all[0] == 0 && all[^1] == rows, "ends that do not end where the rows do");
        return all;
    }
}
