using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using System.Text;
using SharpToken;

namespace Elastic.Corpus;

/// <summary>
/// GPT-2's vocabulary and its byte-pair merges (Sennrich et al. 2016; Radford et al. 2019, section 2.2): of all neighbours, the
/// pair with the smallest merged token is joined first, the leftmost of equals, until no pair can be joined. Immutable.
///
/// Nothing is merged here. Tokens are those of a word if and only if each two neighbours are the tokens of their own bytes: the first merge
/// across a border in the whole word would also be one of the two alone. So a word is read from left to right, and each next token is the
/// longest that holds beside the one before; where none does, the one before was too long. A place from which no way leads on is tried
/// once, so that the work grows linearly with the length of a word, whatever the word.
/// </summary>
internal sealed class Gpt2Merges
{
    /// <summary>Tokens without end-of-text.</summary>
    public const int Count = 50256;

    // The first tokens are the bytes, in an order of their own; the others are numbered in the order of the merges.
    private const int Bytes = 256;

    private const int None = -1;

    private static readonly Lazy<Gpt2Merges> Loaded = new(Load);

    private readonly byte[][] _bytesOf = new byte[Count][];

    // What a merge joins, by its result.
    private readonly (ushort Left, ushort Right)[] _partsOf = new (ushort, ushort)[Count];

    // The longest token that is a beginning of this one, and not all of it.
    private readonly int[] _shorter = new int[Count];
    private readonly byte[] _lengths = new byte[Count];
    private readonly MergedPairs _pairs = new(Count);
    private readonly HeldPairs _held;
    private readonly LongestToken _longest;

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
            _lengths[token] = checked((byte)_bytesOf[token].Length);
            tokenOf.Add(Encoding.Latin1.GetString(_bytesOf[token]), token);
        }
        var lookup = tokenOf.GetAlternateLookup<ReadOnlySpan<char>>();
        // In the order of the merges: which parts a token has follows from the merges before it.
        foreach (var (name, token) in tokenOf.OrderBy(t => t.Value))
        {
            var hasParts = token < Bytes;
            _shorter[token] = None;
            for (var cut = 1; cut < name.Length; cut++)
            {
                if (!lookup.TryGetValue(name.AsSpan(0, cut), out var left))
                    continue;
                _shorter[token] = left;
                if (lookup.TryGetValue(name.AsSpan(cut), out var right) && left < token && right < token && Holds(left, right, token))
                    (_partsOf[token], hasParts) = (((ushort)left, (ushort)right), true);
            }
            if (!hasParts)
                throw new UnreachableException($"no merge makes the token {token} of r50k_base.tiktoken");
            if (token >= Bytes)
                _pairs.Add(_partsOf[token].Left, _partsOf[token].Right, token);
        }
        (_longest, _held) = (new LongestToken(_bytesOf), new HeldPairs(_bytesOf));
    }

    /// <summary>The published ranks (r50k_base), as embedded in SharpToken.</summary>
    public static Gpt2Merges Shared => Loaded.Value;

    private static Gpt2Merges Load()
    {
        var assembly = typeof(GptEncoding).Assembly;
        var name = Array.Find(assembly.GetManifestResourceNames(), n => n.EndsWith("r50k_base.tiktoken", StringComparison.Ordinal));
        using var ranks = (name is null ? null : assembly.GetManifestResourceStream(name))
            ?? throw new UnreachableException("SharpToken no longer embeds r50k_base.tiktoken");
        return new Gpt2Merges(ranks);
    }

    /// <summary>The bytes of a token.</summary>
    public ReadOnlySpan<byte> BytesOf(int token) => _bytesOf[token];

    /// <summary>The two tokens that each merge joins, in the order of the merges.</summary>
    public IEnumerable<(byte[] Left, byte[] Right)> Pairs() =>
        _partsOf.Skip(Bytes).Select(parts => (_bytesOf[parts.Left], _bytesOf[parts.Right]));

    /// <summary>Appends the tokens of one word.</summary>
    /// <returns>How many tokens were tried: what the time goes into.</returns>
    public long Encode(ReadOnlySpan<byte> word, List<int> into)
    {
        var (first, at, tried) = (into.Count, 0, 0L);
        // A bit for each place: no way leads on from there.
        var closed = word.Length < 64 ? stackalloc ulong[1] : new ulong[word.Length / 64 + 1];
        var token = _longest.Of(word);
        while (at < word.Length)
        {
            var before = into.Count > first ? into[^1] : None;
            for (; token != None; token = _shorter[token])
            {
                tried++;
                var end = at + _lengths[token];
                if ((closed[end >> 6] >> end & 1) == 0 && (before == None || Holds(before, token)))
                    break;
            }
            if (token != None)
            {
                into.Add(token);
                at += _lengths[token];
                token = _longest.Of(word[at..]);
                continue;
            }
            if (before == None)
                throw new UnreachableException("every byte is a token, so that every word has tokens");
            closed[at >> 6] |= 1UL << at;
            into.RemoveAt(into.Count - 1);
            at -= _lengths[before];
            token = _shorter[before];
        }
        return tried;
    }

    // Whether two tokens stay what they are side by side.
    private bool Holds(int left, int right)
    {
        if (_held.Find(left, right) is { } known)
            return known;
        var holds = Holds(left, right, int.MaxValue);
        _held.Set(left, right, holds);
        return holds;
    }

    // The same, as far as the merges before that of "until" go. Undoes their merges, the latest first, and asks each time whether what then
    // stands at the border would have been joined before. Of two equal merges the left one comes first.
    private bool Holds(int left, int right, int until)
    {
        while (true)
        {
            if (_pairs.Find(left, right) < until)
                return false;
            if (Math.Max(left, right) < Bytes)
                return true;
            if (left > right)
                (left, until) = (_partsOf[left].Right, left);
            else
                (right, until) = (_partsOf[right].Left, right + 1);
        }
    }

    // (left, right) -> merged token, by open addressing. Both tokens fit into the upper half of a slot, so that a look-up touches one
    // place: these are what the time goes into where no cache of words helps.
    private sealed class MergedPairs(int most)
    {
        // Less than half full; 0 is an empty slot.
        private readonly ulong[] _slots = new ulong[BitOperations.RoundUpToPowerOf2((uint)most * 2)];

        public void Add(int left, int right, int merged)
        {
            var (key, at) = (Key(left, right), Start(Key(left, right)));
            while (_slots[at] != 0)
                at = Next(at);
            _slots[at] = (ulong)key << 32 | (uint)merged;
        }

        /// <summary>More than any token where they are never joined.</summary>
        public int Find(int left, int right)
        {
            var key = Key(left, right);
            for (var at = Start(key); _slots[at] is not 0 and var slot; at = Next(at))
                if (slot >> 32 == key)
                    return (int)(uint)slot;
            return int.MaxValue;
        }

        // Never 0.
        private static uint Key(int left, int right) => ((uint)left << 16 | (uint)right) + 1;

        private int Start(uint key) => (int)(key * 0x9E3779B1u >> 8) & (_slots.Length - 1);

        private int Next(int at) => (at + 1) & (_slots.Length - 1);
    }
}
