using System.IO.Hashing;
using System.Text;

namespace Elastic.Corpus.Build.Duplicates;

/// <summary>
/// The words of a text with their places in it: case, punctuation and white space do not count. Of scripts that write without spaces each
/// character is a word, as in <see cref="WordShingles"/>.
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
            var isWord = WordShingles.IsOfWord(rune);
            var isAlone = isWord && WordShingles.StandsAlone(rune.Value);
            if (start >= 0 && (!isWord || isAlone))
                Close(ref start, at);
            if (isWord)
            {
                if (start < 0)
                    start = at;
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

    private ulong Hash(int from, int to) =>
        XxHash3.HashToUInt64(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_words)[from..to]);

    private void Close(ref int start, int at)
    {
        _words.Add((byte)' ');
        _places.Add((start, at, _words.Count));
        start = -1;
    }
}
