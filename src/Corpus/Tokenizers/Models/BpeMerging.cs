using System.Numerics;

namespace Elastic.Corpus;

/// <summary>
/// Byte-pair merges by rank (Sennrich et al. 2016): of all neighbours the pair of the smallest rank is joined first, the leftmost of
/// equals, until no pair can be joined. The work grows linearly with the length of a word. Immutable.
/// </summary>
/// <param name="merges">By rank: left, right, and what they are joined to. A pair that is there twice has its later rank.</param>
internal sealed class BpeMerging(IReadOnlyList<(int Left, int Right, int Joined)> merges)
{
    // Up to here a scan for the best pair beats a heap.
    internal const int ShortWord = 64;

    // Tokens that a seam between two parts of a long word may concern before the whole word goes through the heap.
    private const int MostAtSeam = 512;

    private readonly PairTable _pairs = Index(merges);

    /// <summary>Appends the tokens of a word.</summary>
    /// <returns>How many symbols were merged, those that were merged again included: what the time goes into.</returns>
    public long Merge(ReadOnlySpan<int> symbols, List<int> into)
    {
        if (symbols.Length <= ShortWord)
        {
            Span<int> parts = stackalloc int[ShortWord];
            symbols.CopyTo(parts);
            into.AddRange(parts[..Scan(parts[..symbols.Length])]);
            return symbols.Length;
        }
        var (tokens, merged) = (new List<(int Token, int Start)>(), 0L);
        for (var start = 0; start < symbols.Length; start += ShortWord)
            if (!Join(symbols, tokens, start, Math.Min(start + ShortWord, symbols.Length), ref merged))
            {
                tokens = Heap(symbols, 0, symbols.Length);
                merged += symbols.Length * (long)BitOperations.Log2((uint)symbols.Length);
                break;
            }
        foreach (var (token, _) in tokens)
            into.Add(token);
        return merged;
    }

    /// <summary>The tokens of a word by a heap, n log n, whatever the word.</summary>
    internal List<int> ByHeap(ReadOnlySpan<int> symbols) => Heap(symbols, 0, symbols.Length).ConvertAll(t => t.Token);

    // Appends the tokens of symbols[start..end] to those of symbols[..start]. Tokens are those of the whole word if and only if each of
    // them, and each two neighbours, are the tokens of their own symbols: the first merge across a border in the whole word would also
    // be one of the two alone. So only what lies around the seam is merged again, until both of its borders hold.
    private bool Join(ReadOnlySpan<int> symbols, List<(int Token, int Start)> tokens, int start, int end, ref long merged)
    {
        var added = Merged(symbols, start, end, ref merged);
        for (var (left, right) = (0, 0); ; left = Math.Max(1, left * 2), right = Math.Max(1, right * 2))
        {
            left = Math.Min(left, tokens.Count);
            right = Math.Min(right, added.Count);
            if (left + right > MostAtSeam)
                return false;
            var from = left == 0 ? start : tokens[^left].Start;
            var to = right == added.Count ? end : added[right].Start;
            var middle = from == to ? [] : Merged(symbols, from, to, ref merged);
            if (!Holds(symbols, tokens, tokens.Count - left, middle, 0, to, ref merged)
                || !Holds(symbols, middle.Count == 0 ? tokens : middle, middle.Count == 0 ? tokens.Count - left : middle.Count, added,
                    right, end, ref merged))
                continue;
            tokens.RemoveRange(tokens.Count - left, left);
            tokens.AddRange(middle);
            tokens.AddRange(added[right..]);
            return true;
        }
    }

    // Whether the token before a border and the one behind it stay what they are.
    private bool Holds(
        ReadOnlySpan<int> symbols, List<(int Token, int Start)> left, int before, List<(int Token, int Start)> right, int behind, int end,
        ref long merged)
    {
        if (before == 0 || behind >= right.Count)
            return true;
        var (a, b) = (left[before - 1], right[behind]);
        var stop = behind + 1 < right.Count ? right[behind + 1].Start : end;
        if (a.Start + 1 == b.Start && b.Start + 1 == stop)
            return _pairs.Find(a.Token, b.Token) is null;
        return Merged(symbols, a.Start, stop, ref merged) is [var first, var second] && first == a && second == b;
    }

    private List<(int Token, int Start)> Merged(ReadOnlySpan<int> symbols, int start, int end, ref long work)
    {
        work += end - start;
        if (end - start > ShortWord)
            return Heap(symbols, start, end);
        Span<int> parts = stackalloc int[ShortWord];
        Span<int> starts = stackalloc int[ShortWord];
        symbols[start..end].CopyTo(parts);
        var count = Scan(parts[..(end - start)], starts);
        var merged = new List<(int, int)>(count);
        for (var i = 0; i < count; i++)
            merged.Add((parts[i], start + starts[i]));
        return merged;
    }

    private int Scan(Span<int> parts)
    {
        Span<int> starts = stackalloc int[ShortWord];
        return Scan(parts, starts);
    }

    // Merges in place; returns how many parts remain, and where each of them starts.
    private int Scan(Span<int> parts, Span<int> starts)
    {
        // ranks[i] and joined[i] are of parts[i] and parts[i + 1].
        Span<int> ranks = stackalloc int[ShortWord];
        Span<int> joined = stackalloc int[ShortWord];
        var count = parts.Length;
        for (var i = 0; i < count; i++)
            starts[i] = i;
        for (var i = 0; i + 1 < count; i++)
            (ranks[i], joined[i]) = Find(parts[i], parts[i + 1]);
        while (count > 1)
        {
            var best = 0;
            for (var i = 1; i + 1 < count; i++)
                if (ranks[i] < ranks[best])
                    best = i;
            if (ranks[best] == int.MaxValue)
                break;
            parts[best] = joined[best];
            parts[(best + 2)..count].CopyTo(parts[(best + 1)..]);
            starts[(best + 2)..count].CopyTo(starts[(best + 1)..]);
            ranks[(best + 1)..(count - 1)].CopyTo(ranks[best..]);
            joined[(best + 1)..(count - 1)].CopyTo(joined[best..]);
            count--;
            if (best + 1 < count)
                (ranks[best], joined[best]) = Find(parts[best], parts[best + 1]);
            if (best > 0)
                (ranks[best - 1], joined[best - 1]) = Find(parts[best - 1], parts[best]);
        }
        return count;
    }

    private List<(int Token, int Start)> Heap(ReadOnlySpan<int> symbols, int start, int end)
    {
        var length = end - start;
        var (parts, next, previous) = (symbols[start..end].ToArray(), new int[length], new int[length]);
        var heap = new PriorityQueue<(int Left, int Right, int Joined, int Position), (int Rank, int Position)>();
        for (var i = 0; i < length; i++)
            (next[i], previous[i]) = (i + 1 < length ? i + 1 : -1, i - 1);
        for (var i = 0; i + 1 < length; i++)
            Offer(i);
        while (heap.TryDequeue(out var pair, out _))
        {
            var (i, right) = (pair.Position, next[pair.Position]);
            // An entry is stale once either of its parts has been merged; a merged-away part is marked -1.
            if (parts[i] != pair.Left || right < 0 || parts[right] != pair.Right)
                continue;
            (parts[i], parts[right], next[i]) = (pair.Joined, -1, next[right]);
            if (next[i] >= 0)
            {
                previous[next[i]] = i;
                Offer(i);
            }
            if (previous[i] >= 0)
                Offer(previous[i]);
        }
        var merged = new List<(int, int)>();
        for (var i = 0; i >= 0; i = next[i])
            merged.Add((parts[i], start + i));
        return merged;

        void Offer(int i)
        {
            var (rank, joined) = Find(parts[i], parts[next[i]]);
            if (rank != int.MaxValue)
                heap.Enqueue((parts[i], parts[next[i]], joined, i), (rank, i));
        }
    }

    private (int Rank, int Joined) Find(int left, int right) => _pairs.Find(left, right) ?? (int.MaxValue, -1);

    private static PairTable Index(IReadOnlyList<(int Left, int Right, int Joined)> merges)
    {
        var pairs = new PairTable(merges.Count);
        for (var i = 0; i < merges.Count; i++)
            pairs.Set(merges[i].Left, merges[i].Right, (i, merges[i].Joined));
        return pairs;
    }
}
