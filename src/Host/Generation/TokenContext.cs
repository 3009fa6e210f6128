using Elastic.Corpus;

namespace Elastic.Host.Generation;

/// <summary>
/// The last tokens before a token whose text is asked for. Many decoders write the first token of a text without the space before it, and
/// bytes make a character only together: so they are as many as make whole characters. Bytes behind these that became none, and special
/// tokens, which have no text, are passed over. None at the beginning of a text, which is also behind an end of text.
/// </summary>
internal sealed class TokenContext
{
    // The four bytes of a character, and as many that are passed over behind it.
    private const int Most = 8;

    private readonly Tokenizer _tokenizer;
    private readonly int[] _last, _tokens;
    private readonly string _text;

    private TokenContext(Tokenizer tokenizer, int[] last, int[] tokens, string text) =>
        (_tokenizer, _last, _tokens, _text) = (tokenizer, last, tokens, text);

    /// <param name="before">All tokens before that one, or the last ones of them.</param>
    public static TokenContext Of(Tokenizer tokenizer, IEnumerable<int> before)
    {
        int[] last = [.. before.TakeLast(Most)];
        last = last[(Array.LastIndexOf(last, tokenizer.EndOfText) + 1)..];
        for (var end = last.Length; end > 0; end--)
            for (var start = end - 1; start >= 0; start--)
                if (tokenizer.Decode(last.AsSpan(start..end)) is { Length: > 0 } text && !text.EndsWith('\uFFFD'))
                    return new TokenContext(tokenizer, last, last[start..end], text);
        // A space at the beginning of a text may have no text itself, and those behind it have.
        return new TokenContext(tokenizer, last, tokenizer.Decode(last).Length == 0 ? last : [], "");
    }

    /// <summary>The text of tokens that follow; their own where they change what is before them, as a half of a character may.</summary>
    public string TextOf(IReadOnlyList<int> tokens)
    {
        var text = _tokenizer.Decode([.. _tokens, .. tokens]);
        return text.StartsWith(_text, StringComparison.Ordinal) ? text[_text.Length..] : _tokenizer.Decode([.. tokens]);
    }

    /// <summary>The context behind these tokens.</summary>
    public TokenContext With(IReadOnlyList<int> tokens) => Of(_tokenizer, [.. _last, .. tokens]);
}
