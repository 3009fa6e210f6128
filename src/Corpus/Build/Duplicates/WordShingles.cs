using System.Globalization;
using System.IO.Hashing;
using System.Text;

namespace Elastic.Corpus.Build.Duplicates;

/// <summary>
/// The neighbouring words of a text, by which texts are compared: case, punctuation and white space do not count. A word is a run of
/// letters, digits and their marks; of scripts that write without spaces (Han, kana, Thai, Lao, Khmer, Myanmar) each character is one.
/// </summary>
internal static class WordShingles
{
    /// <summary>A hash of 64 bits of each run of <paramref name="length"/> words, each once; of a shorter text, of all its words.</summary>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public static HashSet<ulong> Of(string text, int length, CancellationToken cancel = default)
    {
        var (words, ends) = (new List<byte>(text.Length), new List<int> { 0 });
        Cut(CodePoints.ToLower(text), words, ends, cancel);
        var shingles = new HashSet<ulong>();
        var bytes = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(words);
        var count = ends.Count - 1;
        for (var first = 0; first + length <= count || (first == 0 && count > 0); first++)
        {
            StopSignal.Look(first, cancel);
            shingles.Add(XxHash3.HashToUInt64(bytes[ends[first]..ends[Math.Min(first + length, count)]]));
        }

        return shingles;
    }

    // The words one after the other, each with a space behind it.
    private static void Cut(string text, List<byte> words, List<int> ends, CancellationToken cancel)
    {
        Span<byte> utf8 = stackalloc byte[4];
        var (isOpen, number) = (false, 0);
        foreach (var rune in text.EnumerateRunes())
        {
            StopSignal.Look(number++, cancel);
            var isWord = IsOfWord(rune);
            var isAlone = isWord && StandsAlone(rune.Value);
            if (isOpen && (!isWord || isAlone))
                Close();
            if (!isWord)
                continue;
            words.AddRange(utf8[..rune.EncodeToUtf8(utf8)]);
            isOpen = true;
            if (isAlone)
                Close();
        }
        if (isOpen)
            Close();

        void Close()
        {
            words.Add((byte)' ');
            ends.Add(words.Count);
            isOpen = false;
        }
    }

    internal static bool IsOfWord(Rune rune) => Rune.IsLetterOrDigit(rune)
        || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;

    internal static bool StandsAlone(int c) => c is (>= 0x0E00 and <= 0x0EFF) or (>= 0x1000 and <= 0x109F) or (>= 0x1780 and <= 0x17FF)
        or (>= 0x3040 and <= 0x30FF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x4E00 and <= 0x9FFF) or (>= 0xF900 and <= 0xFAFF)
        or (>= 0x20000 and <= 0x3FFFF);
}
