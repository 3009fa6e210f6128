using System.Globalization;
using System.IO.Hashing;
using System.Text;

namespace Elastic.Corpus.Build.Duplicates;

/// <summary>
/// The words of a text with their places in it: case, punctuation and white space do not count. A word is a run of letters, digits and
/// their marks; of scripts that write without spaces (Han, kana, Thai, Lao, Khmer, Myanmar) each character is one.
/// </summary>
internal sealed class WordRuns
{
    private readonly List<byte> _words = [];
    private readonly List<(int From, int To, int EndByte)> _places = [];

    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public WordRuns(string text, CancellationToken cancel = default)
    {
        Span<byte> utf8 = stackalloc byte[4];
        var (at, start, number) = (0, -1, 0);
        foreach (var rune in text.EnumerateRunes())
        {
            StopSignal.Look(number++, cancel);
            var isWord = IsOfWord(rune);
            var isAlone = isWord && StandsAlone(rune.Value);
            if (start >= 0 && (!isWord || isAlone))
                Close(ref start, at);
            if (isWord)
            {
                if (start < 0)
                    start = at;
                // In lower case as CodePoints.ToLower has it: Unicode gives this one letter two.
                if (rune.Value == 0x130)
                    _words.AddRange("i\u0307"u8);
                else
                    _words.AddRange(utf8[..Rune.ToLowerInvariant(rune).EncodeToUtf8(utf8)]);
            }
            // A lone surrogate is one character, and its rune U+FFFD as well.
            at += rune.Utf16SequenceLength;
            if (isAlone)
                Close(ref start, at);
        }
        if (start >= 0)
            Close(ref start, at);
    }

    /// <summary>Words of the text.</summary>
    public int Count => _places.Count;

    /// <summary>
    /// A hash of 64 bits of each run of <paramref name="length"/> words, and the characters from the first to the last one.
    /// </summary>
    public IEnumerable<(ulong Hash, int From, int To)> Of(int length)
    {
        for (var first = 0; first + length <= _places.Count; first++)
        {
            var last = _places[first + length - 1];
            yield return (Hash(first == 0 ? 0 : _places[first - 1].EndByte, last.EndByte), _places[first].From, last.To);
        }
    }

    private static bool IsOfWord(Rune rune) => Rune.IsLetterOrDigit(rune)
        || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;

    private static bool StandsAlone(int c) => c is (>= 0x0E00 and <= 0x0EFF) or (>= 0x1000 and <= 0x109F) or (>= 0x1780 and <= 0x17FF)
        or (>= 0x3040 and <= 0x30FF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x4E00 and <= 0x9FFF) or (>= 0xF900 and <= 0xFAFF)
        or (>= 0x20000 and <= 0x3FFFF);

    private ulong Hash(int from, int to) =>
        XxHash3.HashToUInt64(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_words)[from..to]);

    private void Close(ref int start, int at)
    {
        _words.Add((byte)' ');
        _places.Add((start, at, _words.Count));
        start = -1;
    }
}
