using Elastic.Corpus;

namespace Elastic.Host.Generation;

/// <summary>
/// Turns a stream of tokens into text. A token may end in the middle of a character, which decodes to U+FFFD until the rest of it
/// arrives; so U+FFFD at the end is held back until that is decided. Each piece is decoded behind what came before it.
/// </summary>
/// <param name="before">The tokens that the stream goes on from; none at the beginning of a text.</param>
internal sealed class TokenStream(Tokenizer tokenizer, IReadOnlyList<int> before)
{
    private const int LongestCharacter = 4;     // bytes of UTF-8, and so tokens

    private readonly List<int> _pending = [];
    private TokenContext _context = TokenContext.Of(tokenizer, before);
    private int _written, _undecided;

    /// <summary>The text that is complete with this token, beginning where the last piece ended.</summary>
    public string Add(int token)
    {
        _pending.Add(token);
        var text = _context.TextOf(_pending);
        var complete = text.AsSpan().TrimEnd('\uFFFD').Length;
        if (complete == text.Length)
            return Flush(text);
        _undecided = complete > _written ? 1 : _undecided + 1;
        if (_undecided >= LongestCharacter)
            return Flush(text);
        var piece = text[_written..Math.Max(_written, complete)];
        _written = Math.Max(_written, complete);
        return piece;
    }

    /// <summary>The bytes that are held back: they will not become a character any more.</summary>
    public string Complete() => Flush(_context.TextOf(_pending));

    private string Flush(string text)
    {
        var piece = text[Math.Min(_written, text.Length)..];
        _context = _context.With(_pending);
        _pending.Clear();
        (_written, _undecided) = (0, 0);
        return piece;
    }
}
