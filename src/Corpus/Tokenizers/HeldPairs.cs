namespace Elastic.Corpus;

/// <summary>
/// Remembers of pairs of tokens whether they stay what they are side by side. Pairs of short tokens, of which letters by chance are made,
/// have two bits each, side by side in the order of their bytes, so that those of one script share a cache. Of the others each pair has one
/// slot, where it replaces any other. An answer is the same for a pair whoever computes it, and one that is lost is computed again, so that
/// threads share them without a lock.
/// </summary>
internal sealed class HeldPairs
{
    // 1 MiB: what most second-level caches hold.
    private const int SlotBits = 18, TagBits = 32 - SlotBits;

    private const int LongestShort = 2;                                 // bytes

    // Tag, 1 for a slot that is used, the answer.
    private readonly int[] _slots = new int[1 << SlotBits];

    // Of a token the number among the short ones, from 1; 0 for a longer one.
    private readonly ushort[] _shortOf;
    private readonly int _shorts;

    // Of a pair of short ones two bits: 1 for an answer, the answer.
    private readonly byte[] _short;

    /// <param name="tokens">By number; at most 65,536.</param>
    public HeldPairs(IReadOnlyList<byte[]> tokens)
    {
        _shortOf = new ushort[tokens.Count];
        var shorts = tokens.Index().Where(t => t.Item.Length <= LongestShort)
            .OrderBy(t => t.Item[0]).ThenBy(t => t.Item.Length).ThenBy(t => t.Item[^1]).Select(t => t.Index).ToList();
        foreach (var (number, token) in shorts.Index())
            _shortOf[token] = (ushort)(number + 1);
        _shorts = shorts.Count + 1;
        _short = new byte[(_shorts * (long)_shorts + 3) / 4];
    }

    /// <summary>Null where it is not known.</summary>
    /// <param name="left">A token below 65,536; <paramref name="right"/> too.</param>
    public bool? Find(int left, int right)
    {
        if (_shortOf[left] is > 0 and var one && _shortOf[right] is > 0 and var other)
        {
            var pair = one * _shorts + other;
            var bits = _short[pair >> 2] >> (pair & 3) * 2;
            return (bits & 1) == 0 ? null : (bits & 2) != 0;
        }
        var (slot, tag) = Place(left, right);
        var found = _slots[slot];
        return found >> 1 == (tag << 1 | 1) ? (found & 1) != 0 : null;
    }

    /// <summary>Remembers an answer.</summary>
    public void Set(int left, int right, bool holds)
    {
        if (_shortOf[left] is > 0 and var one && _shortOf[right] is > 0 and var other)
        {
            // Of two threads that write neighbours at once one may take back the other's answer.
            var pair = one * _shorts + other;
            _short[pair >> 2] |= (byte)((holds ? 3 : 1) << (pair & 3) * 2);
            return;
        }
        var (slot, tag) = Place(left, right);
        _slots[slot] = tag << 2 | 2 | (holds ? 1 : 0);
    }

    // A pair is 32 bits, and a product with an odd number is another 32 bits for each: slot and tag together are the pair.
    private static (int Slot, int Tag) Place(int left, int right)
    {
        var mixed = ((uint)left << 16 | (uint)right) * 0x9E3779B1u;
        return ((int)(mixed >> TagBits), (int)(mixed & ((1u << TagBits) - 1)));
    }
}
