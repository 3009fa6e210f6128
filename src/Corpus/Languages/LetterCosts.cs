using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Elastic.Corpus.Languages;

/// <summary>What the letters of a text cost in each language, summed. Not thread-safe.</summary>
internal sealed class LetterCosts(LetterModels models)
{
    // So many of the dearest letters fit into 32 bits, which are added eight at a time.
    private const int MostPending = 1 << 16;

    private readonly uint[] _pending = new uint[models.Width];
    private readonly long[] _sums = new long[models.Languages.Count];
    private ulong _key;
    private int _added;

    /// <summary>Letters that were added, as the models count them.</summary>
    public int Letters { get; private set; }

    /// <summary>A sum for each language of the models.</summary>
    public long[] Sums
    {
        get
        {
            Flush();
            return _sums;
        }
    }

    /// <summary>Adds the next letter of a word, in lower case.</summary>
    public void Add(char letter)
    {
        _key = LetterModels.Next(_key, letter);
        if (++_added == MostPending)
            Flush();
        var costs = models.CostsOf(_key);
        ref var from = ref MemoryMarshal.GetArrayDataReference(costs);
        ref var to = ref MemoryMarshal.GetArrayDataReference(_pending);
        // Both are whole vectors long.
        for (nuint i = 0; i < (nuint)_pending.Length; i += (nuint)Vector256<ushort>.Count)
        {
            var (lower, upper) = Vector256.Widen(Vector256.LoadUnsafe(ref from, i));
            (Vector256.LoadUnsafe(ref to, i) + lower).StoreUnsafe(ref to, i);
            (Vector256.LoadUnsafe(ref to, i + (nuint)Vector256<uint>.Count) + upper).StoreUnsafe(ref to, i + (nuint)Vector256<uint>.Count);
        }
        Letters += LetterModels.Weight(letter);
    }

    /// <summary>Ends a word: the next letter begins one.</summary>
    public void EndWord() => _key = 0;

    private void Flush()
    {
        for (var language = 0; language < _sums.Length; language++)
            _sums[language] += _pending[language];
        Array.Clear(_pending);
        _added = 0;
    }
}
