using System.Text;

namespace Elastic.Corpus;

/// <summary>What becomes of the matches that a text is split at.</summary>
internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>Finds the next match in a text at or after a place.</summary>
/// <param name="read">Grows by the characters that were looked at, over all matches of one text.</param>
internal delegate bool FindMatch(ReadOnlySpan<char> text, int from, ref long read, out int start, out int end);

/// <summary>Splits pieces at matches of something.</summary>
/// <param name="isInverted">The matches are the text, and what lies between them is what it is split at.</param>
internal sealed class Splitter(FindMatch find, SplitBehavior behavior, bool isInverted = false) : PreTokenizer
{
    /// <summary>Each code point for which the predicate holds is a match of its own.</summary>
    public static FindMatch Each(Predicate<int> isMatch) =>
        (ReadOnlySpan<char> text, int from, ref long read, out int start, out int end) =>
    {
        for (start = from; start < text.Length; start = end)
        {
            var c = CodePoints.At(text, start, out var width);
            end = start + width;
            if (isMatch(c))
                return true;
        }
        end = start;
        return false;
    };

    /// <summary>Word characters in a row, or characters in a row that are neither of words nor white space: <c>\w+|[^\w\s]+</c>.</summary>
    public static bool WordsAndSymbols(ReadOnlySpan<char> text, int from, ref long read, out int start, out int end)
    {
        for (start = from; start < text.Length && CodePoints.IsWhiteSpace(text[start]);)
            start++;
        end = start;
        if (start == text.Length)
            return false;
        var isWord = CodePoints.IsWord(CodePoints.At(text, start, out _));
        while (end < text.Length && CodePoints.At(text, end, out var width) is var c && CodePoints.IsWord(c) == isWord
            && !CodePoints.IsWhiteSpace(c))
            end += width;
        return true;
    }

    /// <summary>Each occurrence of a text.</summary>
    public static FindMatch Of(string searched) => (ReadOnlySpan<char> text, int from, ref long read, out int start, out int end) =>
    {
        var at = searched.Length == 0 ? -1 : text[from..].IndexOf(searched, StringComparison.Ordinal);
        (start, end) = at < 0 ? (text.Length, text.Length) : (from + at, from + at + searched.Length);
        return at >= 0;
    };

    public override void Cut(Piece piece, List<Piece> into)
    {
        if (behavior == SplitBehavior.MergedWithNext)
        {
            MergeWithNext(piece, into);
            return;
        }
        var text = piece.Span;
        var (at, read, wasMatch) = (0, 0L, false);
        var (openStart, openEnd) = (0, 0);                              // a part that may still grow
        while (at < text.Length)
        {
            var found = find(text, at, ref read, out var start, out var end);
            if (!found)
                start = end = text.Length;
            if (start > at)
                Take(at, start, isInverted);
            if (end > start)
                Take(start, end, !isInverted);
            at = end;
        }
        Close();

        void Take(int start, int end, bool isMatch)
        {
            var grows = behavior switch
            {
                SplitBehavior.MergedWithPrevious => isMatch && !wasMatch,
                SplitBehavior.Contiguous => isMatch == wasMatch,
                _ => false,
            };
            if (!grows)
            {
                Close();
                openStart = start;
            }
            wasMatch = isMatch;
            openEnd = isMatch && behavior == SplitBehavior.Removed ? openStart : end;
        }

        void Close()
        {
            if (openEnd > openStart)
                into.Add(piece.Slice(openStart, openEnd - openStart));
            openStart = openEnd;
        }
    }

    // A match belongs to what follows it; of several matches in a row only the last one does.
    private void MergeWithNext(Piece piece, List<Piece> into)
    {
        var text = piece.Span;
        var (at, read) = (0, 0L);
        (int Start, int End) match = (0, 0);
        while (at < text.Length)
        {
            if (!find(text, at, ref read, out var start, out var end))
                start = end = text.Length;
            Take(at, start, isInverted);
            Take(start, end, !isInverted);
            at = end;
        }
        if (match.End > match.Start)
            into.Add(piece.Slice(match.Start, match.End - match.Start));

        void Take(int start, int end, bool isMatch)
        {
            if (end == start)
                return;
            if (match.End > match.Start && isMatch)
                into.Add(piece.Slice(match.Start, match.End - match.Start));
            if (isMatch)
            {
                match = (start, end);
                return;
            }
            var from = match.End > match.Start ? match.Start : start;
            into.Add(piece.Slice(from, end - from));
            match = (0, 0);
        }
    }
}

/// <summary>Begins a piece with a space where it has none.</summary>
internal static class LeadingSpace
{
    public static Piece Of(Piece piece) =>
        piece.Span.StartsWith(" ") ? piece : piece.With(new StringBuilder(" ", piece.Length + 1).Append(piece.Span).ToString());
}
