using System.Text;

namespace Elastic.Corpus;

/// <summary>
/// Cuts long text into documents: at the first blank line after <see cref="Target"/> characters, or at the end of a line after
/// <see cref="Limit"/>, or anywhere in a longer line. So no file is held whole, and a share of a single book can be held out.
/// </summary>
internal static class TextPieces
{
    /// <summary>UTF-16 units of a piece, roughly.</summary>
    public const int Target = 16 << 10;

    private const int Limit = 4 * Target;

    /// <summary>The pieces of the reader's text, blank ones included. Ends of lines become '\n'.</summary>
    public static IEnumerable<string> Read(TextReader reader)
    {
        var piece = new StringBuilder();
        foreach (var (text, endsLine) in Lines(reader))
        {
            piece.Append(text);
            if (endsLine)
                piece.Append('\n');
            var isBlank = endsLine && string.IsNullOrWhiteSpace(text);
            if (piece.Length < (isBlank ? Target : Limit))
                continue;
            yield return piece.ToString();
            piece.Clear();
        }
        if (piece.Length > 0)
            yield return piece.ToString();
    }

    // Lines of at most Limit characters: the rest of a longer line follows as the next one.
    private static IEnumerable<(string Text, bool EndsLine)> Lines(TextReader reader)
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
                // The first half of a surrogate pair stays until the second half comes.
                var whole = length < 0 && char.IsHighSurrogate(line[^1]) ? line.Length - 1 : line.Length;
                yield return (line.ToString(0, whole), length >= 0);
                line.Remove(0, whole);
            }
        if (line.Length > 0)
            yield return (line.ToString(), false);
    }
}
