using System.Globalization;
using System.Text;
using SharpToken;

namespace Elastic.Corpus;

/// <summary>
/// GPT-2's vocabulary and its byte-pair merges (Sennrich et al. 2016; Radford et al. 2019, section 2.2): of all neighbours, the
/// pair with the smallest merged token is joined first, the leftmost of equals, until no pair can be joined. Immutable.
/// </summary>
internal sealed class Gpt2Merges
{
    /// <summary>Tokens without end-of-text.</summary>
    public const int Count = 50256;

    private const int None = int.MaxValue;

    // Up to here a scan for the best pair beats a heap.
    private const int ShortWord = 64;

    private static readonly Lazy<Gpt2Merges> Loaded = new(Load);

    private readonly byte[][] _bytesOf = new byte[Count][];
    private readonly int[] _tokenOfByte = new int[256];
    private readonly PairTable _pairs = new(capacityBits: 19);

    private Gpt2Merges(Stream ranks)
    {
        var tokenOf = new Dictionary<string, int>(Count, StringComparer.Ordinal);
        using var reader = new StreamReader(ranks);
        while (reader.ReadLine() is { Length: > 0 } line)
        {
            // "<base64 of the token's bytes> <token>"
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            var token = int.Parse(line.AsSpan(space + 1), CultureInfo.InvariantCulture);
            _bytesOf[token] = Convert.FromBase64String(line[..space]);
            tokenOf.Add(Encoding.Latin1.GetString(_bytesOf[token]), token);
        }
        var lookup = tokenOf.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var (name, token) in tokenOf)
        {
            if (name.Length == 1)
                _tokenOfByte[name[0]] = token;
            for (var cut = 1; cut < name.Length; cut++)
                if (lookup.TryGetValue(name.AsSpan(0, cut), out var left) && lookup.TryGetValue(name.AsSpan(cut), out var right))
                    _pairs.Add(left, right, token);
        }
    }

    /// <summary>The published ranks (r50k_base), as embedded in SharpToken.</summary>
    public static Gpt2Merges Shared => Loaded.Value;

    private static Gpt2Merges Load()
    {
        var assembly = typeof(GptEncoding).Assembly;
        var name = Array.Find(assembly.GetManifestResourceNames(), n => n.EndsWith("r50k_base.tiktoken", StringComparison.Ordinal));
        using var ranks = (name is null ? null : assembly.GetManifestResourceStream(name))
            ?? throw new System.Diagnostics.UnreachableException("SharpToken no longer embeds r50k_base.tiktoken");
        return new Gpt2Merges(ranks);
    }

    /// <summary>The bytes of a token.</summary>
    public ReadOnlySpan<byte> BytesOf(int token) => _bytesOf[token];

    /// <summary>
    /// The two tokens that each merge joins, in the order of the merges. The ranks name its result only; the pair is what the result's
    /// bytes come to with the merges before it.
    /// </summary>
    public IEnumerable<(byte[] Left, byte[] Right)> Pairs()
    {
        for (var token = _tokenOfByte.Length; token < Count; token++)
        {
            List<int> parts = [.. _bytesOf[token].Select(b => _tokenOfByte[b])];
            while (parts.Count > 2)
            {
                var best = 0;
                for (var i = 1; i + 1 < parts.Count; i++)
                    if (_pairs.Find(parts[i], parts[i + 1]) < _pairs.Find(parts[best], parts[best + 1]))
                        best = i;
                parts[best] = _pairs.Find(parts[best], parts[best + 1]);
                parts.RemoveAt(best + 1);
            }

            yield return (_bytesOf[parts[0]], _bytesOf[parts[1]]);
        }
    }

    /// <summary>Appends the tokens of one word.</summary>
    public void Encode(ReadOnlySpan<byte> word, List<int> into)
    {
        if (word.Length <= ShortWord)
            EncodeShort(word, into);
        else
            EncodeLong(word, into);
    }

    private void EncodeShort(ReadOnlySpan<byte> word, List<int> into)
    {
        Span<int> parts = stackalloc int[word.Length];
        // ranks[i] is what parts[i] and parts[i + 1] merge to.
        Span<int> ranks = stackalloc int[word.Length];
        var count = word.Length;
        for (var i = 0; i < count; i++)
            parts[i] = _tokenOfByte[word[i]];
        for (var i = 0; i + 1 < count; i++)
            ranks[i] = _pairs.Find(parts[i], parts[i + 1]);
        while (count > 1)
        {
            var best = 0;
            for (var i = 1; i + 1 < count; i++)
                if (ranks[i] < ranks[best])
                    best = i;
            if (ranks[best] == None)
                break;
            parts[best] = ranks[best];
            parts[(best + 2)..count].CopyTo(parts[(best + 1)..]);
            ranks[(best + 1)..(count - 1)].CopyTo(ranks[best..]);
            count--;
            if (best + 1 < count)
                ranks[best] = _pairs.Find(parts[best], parts[best + 1]);
            if (best > 0)
                ranks[best - 1] = _pairs.Find(parts[best - 1], parts[best]);
        }
        into.AddRange(parts[..count]);
    }

    // The same result by a heap over a linked list: n log n, so that even a megabyte without a space takes little time.
    private void EncodeLong(ReadOnlySpan<byte> word, List<int> into)
    {
        var (parts, next, previous) = (new int[word.Length], new int[word.Length], new int[word.Length]);
        var heap = new PriorityQueue<(int Left, int Right, int Position), (int Rank, int Position)>();
        for (var i = 0; i < word.Length; i++)
            (parts[i], next[i], previous[i]) = (_tokenOfByte[word[i]], i + 1 < word.Length ? i + 1 : -1, i - 1);
        for (var i = 0; i + 1 < word.Length; i++)
            Offer(i);
        while (heap.TryDequeue(out var pair, out var rank))
        {
            var (i, right) = (pair.Position, next[pair.Position]);
            // An entry is stale once either of its parts has been merged; a merged-away part is marked -1.
            if (parts[i] != pair.Left || right < 0 || parts[right] != pair.Right)
                continue;
            (parts[i], parts[right], next[i]) = (rank.Rank, -1, next[right]);
            if (next[i] >= 0)
            {
                previous[next[i]] = i;
                Offer(i);
            }
            if (previous[i] >= 0)
                Offer(previous[i]);
        }
        for (var i = 0; i >= 0; i = next[i])
            into.Add(parts[i]);

        void Offer(int i)
        {
            var rank = _pairs.Find(parts[i], parts[next[i]]);
            if (rank != None)
                heap.Enqueue((parts[i], parts[next[i]], i), (rank, i));
        }
    }

    // (left, right) -> merged token, by open addressing.
    private sealed class PairTable(int capacityBits)
    {
        private readonly ulong[] _keys = new ulong[1 << capacityBits];
        private readonly int[] _values = new int[1 << capacityBits];

        public void Add(int left, int right, int merged)
        {
            var slot = SlotOf(Key(left, right));
            (_keys[slot], _values[slot]) = (Key(left, right), merged);
        }

        public int Find(int left, int right)
        {
            var slot = SlotOf(Key(left, right));
            return _keys[slot] == 0 ? None : _values[slot];
        }

        // Never 0, which marks an empty slot.
        private static ulong Key(int left, int right) => ((ulong)(uint)left << 32 | (uint)right) + 1;

        private int SlotOf(ulong key)
        {
            var slot = (int)((key * 0x9E3779B97F4A7C15) >> (64 - capacityBits));
            while (_keys[slot] != 0 && _keys[slot] != key)
                slot = (slot + 1) & (_keys.Length - 1);
            return slot;
        }
    }
}
