using System.Text;

namespace Elastic.Corpus;

/// <summary>
/// Cuts long text into documents: at the first blank line after <see cref="Target"/> characters, or at the end of a line after
/// <see cref="Limit"/>, or before a white space of a longer line. So no file is held whole, and a share of a single book can be held
/// out.
/// </summary>
internal static class TextPieces
{
    /// <summary>UTF-16 units of a piece, roughly.</summary>
    public const int Target = 16 << 10;

    /// <summary>UTF-16 units of a piece of a text without blank lines, and from which on a line is cut.</summary>
    public const int Limit = 4 * Target;

    /// <summary>
    /// The pieces of the reader's text, blank ones included, and whether each ends inside a line. Ends of lines become '\n'.
    /// </summary>
    public static IEnumerable<(string Text, bool IsInLine)> Read(TextReader reader)
    {
        var piece = new StringBuilder();
        foreach (var (text, end) in Lines(reader))
        {
            piece.Append(text);
            if (end == LineEnd.Newline)
                piece.Append('\n');
            var isBlank = end == LineEnd.Newline && string.IsNullOrWhiteSpace(text);
            if (end != LineEnd.Cut && piece.Length < (isBlank ? Target : Limit))
                continue;
            yield return (piece.ToString(), end == LineEnd.Cut);
            piece.Clear();
        }
        if (piece.Length > 0)
            yield return (piece.ToString(), false);
    }

    private enum LineEnd { Newline, Cut, EndOfText }

    // Lines of at most Limit characters, roughly: the rest of a longer line, which is never empty, follows as the next one.
    private static IEnumerable<(string Text, LineEnd End)> Lines(TextReader reader)
    {
        var line = new StringBuilder();
        var buffer = new char[Target];
        var afterReturn = false;
        while (reader.ReadBlock(buffer) is var count and > 0)
            for (var start = 0; start < count;)
            {
                if (afterReturn && buffer[start] == '\n')
                    start++;
                afterReturn = false;
                var length = buffer.AsSpan(start, count - start).IndexOfAny('\r', '\n');
                line.Append(buffer, start, length < 0 ? count - start : length);
                start += length < 0 ? count - start : length + 1;
                if (length >= 0)
                    afterReturn = buffer[start - 1] == '\r';
                else if (line.Length < Limit)
                    continue;
                var text = line.ToString();
                var whole = length >= 0 ? text.Length : CutOf(text);
                yield return (text[..whole], length >= 0 ? LineEnd.Newline : LineEnd.Cut);
                line.Remove(0, whole);
            }
        if (line.Length > 0)
            yield return (line.ToString(), LineEnd.EndOfText);
    }

    // Before the last white space that follows a word: tokenizers begin a word there, so that the pieces have the tokens of the whole.
    // Where there is none in the second half, between any two characters.
    private static int CutOf(string text)
    {
        for (var i = text.Length - 1; i > text.Length / 2; i--)
            if (char.IsWhiteSpace(text[i]) && !char.IsWhiteSpace(text[i - 1]))
                return i;
        return char.IsLowSurrogate(text[^1]) ? text.Length - 2 : text.Length - 1;
    }
}
