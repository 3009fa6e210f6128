namespace Elastic.Corpus;

/// <summary>A token that is found in the text as it is, before the model sees the rest.</summary>
/// <param name="IsWord">Only where no word character stands beside it.</param>
/// <param name="TakesLeft">It takes the white space before it along; <paramref name="TakesRight"/> that behind it.</param>
/// <param name="IsNormalized">It is searched in normalized text.</param>
/// <param name="IsSpecial">It marks something, like the end of a text, and stands for no text itself.</param>
internal sealed record AddedToken(
    string Content, int Number, bool IsWord, bool TakesLeft, bool TakesRight, bool IsNormalized, bool IsSpecial)
{
    public static AddedToken Of(JsonPart part)
    {
        var content = part.Text("content");
        return content.Length is 0 or > TokenModel.LongestToken
            ? throw part.Wrong($"has a content of {content.Length} characters: use 1 to {TokenModel.LongestToken}")
            : new AddedToken(
                content, part.Number("id", 0, Messages.Settings.ModelSettings.MostVocabulary - 1), part.Flag("single_word", false),
                part.Flag("lstrip", false), part.Flag("rstrip", false), part.Flag("normalized", !part.Flag("special", false)),
                part.Flag("special", false));
    }
}

/// <summary>Finds added tokens in text: at each place the longest that begins there. Immutable.</summary>
internal sealed class AddedTokenSearch
{
    private readonly Dictionary<string, AddedToken> _tokens = new(StringComparer.Ordinal);
    private readonly Dictionary<char, int[]> _lengths = [];             // of the tokens that begin with a character, the longest first
    private readonly System.Buffers.SearchValues<char> _first;

    /// <param name="tokens">With the text by which each is found.</param>
    public AddedTokenSearch(IEnumerable<(string Found, AddedToken Token)> tokens)
    {
        foreach (var (found, token) in tokens.Where(t => t.Found.Length > 0))
            _tokens[found] = token;
        foreach (var group in _tokens.Keys.GroupBy(k => k[0]))
            _lengths[group.Key] = [.. group.Select(k => k.Length).Distinct().OrderDescending()];
        _first = System.Buffers.SearchValues.Create([.. _lengths.Keys]);
    }

    /// <summary>The parts of a text in order: tokens, and what lies between them.</summary>
    /// <param name="skipsSpecial">Special tokens are ordinary text.</param>
    public IEnumerable<(AddedToken? Token, int Start, int End)> Split(string text, bool skipsSpecial)
    {
        var from = 0;
        if (_tokens.Count > 0)
            for (var at = 0; Next(text, at) is var (token, found) && token is not null; at = found + LengthOf(text, found))
            {
                var (start, end) = (found, found + LengthOf(text, found));
                if ((skipsSpecial && token.IsSpecial) || (token.IsWord && !StandsAlone(text, start, end)))
                    continue;
                while (token.TakesLeft && start > from && char.IsWhiteSpace(text[start - 1]))
                    start--;
                while (token.TakesRight && end < text.Length && char.IsWhiteSpace(text[end]))
                    end++;
                if (start > from)
                    yield return (null, from, start);
                yield return (token, start, end);
                from = end;
            }
        if (from < text.Length)
            yield return (null, from, text.Length);
    }

    private (AddedToken? Token, int Start) Next(string text, int from)
    {
        while (from < text.Length && text.AsSpan(from).IndexOfAny(_first) is var ahead and >= 0)
        {
            from += ahead;
            if (LengthOf(text, from) is var length and > 0)
                return (_tokens[text.Substring(from, length)], from);
            from++;
        }
        return (null, 0);
    }

    private int LengthOf(string text, int at)
    {
        var lookup = _tokens.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var length in _lengths[text[at]])
            if (at + length <= text.Length && lookup.ContainsKey(text.AsSpan(at, length)))
                return length;
        return 0;
    }

    private static bool StandsAlone(string text, int start, int end) =>
        (start == 0 || !CodePoints.IsWord(Before(text, start)))
            && (end == text.Length || !CodePoints.IsWord(CodePoints.At(text, end, out _)));

    private static int Before(string text, int at) => CodePoints.At(
        text, at > 1 && char.IsSurrogatePair(text[at - 2], text[at - 1]) ? at - 2 : at - 1, out _);
}
