namespace Elastic.Corpus;

/// <summary>
/// Remembers of pairs of tokens whether they stay what they are side by side. Each pair has one slot, where it replaces any other. A slot
/// is one number, and the same for a pair whoever computes it, so that threads share them without a lock.
/// </summary>
internal sealed class HeldPairs
{
    // 1 MiB: what most second-level caches hold.
    private const int SlotBits = 18, TagBits = 32 - SlotBits;

    // Tag, 1 for a slot that is used, the answer.
    private readonly int[] _slots = new int[1 << SlotBits];

    /// <summary>Null where it is not known.</summary>
    /// <param name="left">A token below 65,536; <paramref name="right"/> too.</param>
    public bool? Find(int left, int right)
    {
        var (slot, tag) = Place(left, right);
        var found = _slots[slot];
        return found >> 1 == (tag << 1 | 1) ? (found & 1) != 0 : null;
    }

    /// <summary>Remembers an answer.</summary>
    public void Set(int left, int right, bool holds)
    {
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
