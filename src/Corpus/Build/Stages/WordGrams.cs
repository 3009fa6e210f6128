using System.IO.Hashing;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Elastic.Corpus.Build.Stages;

/// <summary>
/// The n-grams of a text's words that occur more than once, in characters. Two n-grams are the same where hashes of 64 bits are. Not
/// thread-safe.
/// </summary>
internal sealed class WordGrams
{
    private readonly ulong[] _words;
    private readonly long[] _ends;                                      // characters up to the end of each word
    private readonly ulong[] _grams;
    private readonly int[] _table;                                      // of each n-gram the first place, from 1; 0 is free
    private readonly int[] _counts;                                     // of each n-gram, at its first place
    private readonly CancellationToken _cancel;
    private int _of;

    /// <param name="cancel">Ends what counts, here and later.</param>
    public WordGrams(string[] words, CancellationToken cancel = default)
    {
        _cancel = cancel;
        (_words, _grams, _counts) = (new ulong[words.Length], new ulong[words.Length], new int[words.Length]);
        _ends = new long[words.Length + 1];
        for (var i = 0; i < words.Length; i++)
        {
            StopSignal.Look(i, cancel);
            _words[i] = XxHash3.HashToUInt64(MemoryMarshal.AsBytes(words[i].AsSpan()));
            _ends[i + 1] = _ends[i] + words[i].Length;
        }
        // At most half full: a search ends after a place or two.
        _table = new int[BitOperations.RoundUpToPowerOf2(2 * (uint)words.Length + 1)];
    }

    /// <summary>Characters of all words.</summary>
    public long Characters => _ends[^1];

    /// <summary>
    /// The characters that the occurrences of the most frequent n-gram cover, those that overlap included: among the most frequent ones of
    /// the longest, and then of the first. 0 where none occurs twice.
    /// </summary>
    public long InMostFrequent(int n)
    {
        Count(n);
        var best = -1;
        for (var first = 0; first < _of; first++)
        {
            if (_counts[first] > 1 && (best < 0 || (_counts[first], Length(first, n)).CompareTo((_counts[best], Length(best, n))) > 0))
                best = first;
        }
        return best < 0 ? 0 : Covered(first => _grams[first] == _grams[best], n);
    }

    /// <summary>The characters that n-grams cover which occur before.</summary>
    public long InRepeated(int n)
    {
        Count(n);
        return Covered(first => _counts[first] == 0, n);
    }

    private long Length(int first, int n) => _ends[first + n] - _ends[first];

    private void Count(int n)
    {
        _of = Math.Max(0, _words.Length - n + 1);
        Array.Clear(_table);
        Array.Clear(_counts);
        var bytes = MemoryMarshal.AsBytes(_words.AsSpan());
        for (var first = 0; first < _of; first++)
        {
            StopSignal.Look(first, _cancel);
            var gram = _grams[first] = XxHash3.HashToUInt64(bytes.Slice(first * sizeof(ulong), n * sizeof(ulong)));
            var at = (int)gram & (_table.Length - 1);
            while (_table[at] is var known and > 0 && _grams[known - 1] != gram)
                at = (at + 1) & (_table.Length - 1);
            if (_table[at] == 0)
                _table[at] = first + 1;
            _counts[_table[at] - 1]++;
        }
    }

    private long Covered(Func<int, bool> counts, int n)
    {
        var (characters, until) = (0L, 0);
        for (var first = 0; first < _of; first++)
        {
            StopSignal.Look(first, _cancel);
            if (!counts(first))
                continue;
            characters += _ends[first + n] - _ends[Math.Max(first, until)];
            until = first + n;
        }
        return characters;
    }
}
