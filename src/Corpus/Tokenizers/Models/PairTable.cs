using System.Numerics;

namespace Elastic.Corpus;

/// <summary>Pairs of numbers and two values for each, by open addressing: a look-up is what merging and searching spend their time
/// on.</summary>
internal sealed class PairTable
{
    private readonly ulong[] _keys;
    private readonly (int First, int Second)[] _values;
    private readonly int _shift;

    /// <param name="most">Pairs that it will hold at most.</param>
    public PairTable(int most)
    {
        // At most half full.
        var bits = Math.Max(4, BitOperations.Log2((uint)Math.Max(1, most)) + 2);
        (_keys, _values, _shift) = (new ulong[1 << bits], new (int, int)[1 << bits], 64 - bits);
    }

    /// <summary>The values of a pair; null where it is not there.</summary>
    public (int First, int Second)? Find(int left, int right)
    {
        var slot = SlotOf(Key(left, right));
        return _keys[slot] == 0 ? null : _values[slot];
    }

    /// <summary>Sets the values of a pair.</summary>
    public void Set(int left, int right, (int First, int Second) values)
    {
        var slot = SlotOf(Key(left, right));
        (_keys[slot], _values[slot]) = (Key(left, right), values);
    }

    // Never 0, which marks an empty slot.
    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32 | (uint)right) + 1;

    private int SlotOf(ulong key)
    {
        var slot = (int)((key * 0x9E3779B97F4A7C15) >> _shift);
        while (_keys[slot] != 0 && _keys[slot] != key)
            slot = (slot + 1) & (_keys.Length - 1);
        return slot;
    }
}
