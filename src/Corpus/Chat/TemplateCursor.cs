using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Where the reading of a template is.</summary>
internal sealed class TemplateCursor(List<TemplateToken> tokens, string name)
{
    // Of parts inside each other, so that no template ends the stack.
    private const int MostDepth = 100;

    private int _at, _depth;

    public TemplateToken Token => _at < tokens.Count
        ? tokens[_at] : new TemplateToken(TemplateTokenKind.Nothing, "", tokens.Count == 0 ? 1 : tokens[^1].Line);

    public TemplateToken Next()
    {
        var token = Token;
        _at++;
        return token;
    }

    public bool Is(TemplateTokenKind kind, string text) => Token.Kind == kind && Token.Text == text;

    public bool IsSign(string sign) => Is(TemplateTokenKind.Sign, sign);

    public bool IsName(string word) => Is(TemplateTokenKind.Name, word);

    public bool TakeSign(string sign) => Take(IsSign(sign));

    public bool TakeName(string word) => Take(IsName(word));

    /// <summary>Whether the token behind this one is that name.</summary>
    public bool IsNameBehind(string word) => IsBehind(TemplateTokenKind.Name, word);

    /// <summary>Whether the token behind this one is that sign.</summary>
    public bool IsSignBehind(string sign) => IsBehind(TemplateTokenKind.Sign, sign);

    public void Need(string sign)
    {
        if (!TakeSign(sign))
            throw Wrong($"expected \"{sign}\"");
    }

    public string Name() => Token.Kind == TemplateTokenKind.Name ? Next().Text : throw Wrong("expected a name");

    public T Inside<T>(Func<T> read)
    {
        if (++_depth > MostDepth)
            throw Wrong($"has more than {MostDepth} parts inside each other, and");
        var part = read();
        _depth--;
        return part;
    }

    /// <summary>Says where the template cannot be read, and what stands there.</summary>
    public ElasticException Wrong(string why) => new(
        $"{name}, line {Token.Line}: {why}, found {(Token.Text.Length > 0 ? $"\"{OneLine.Of(Token.Text, 40)}\"" : "the end of a tag")}");

    /// <summary>Says that something of Jinja is not known here.</summary>
    public ElasticException Unknown(string what, string found, IEnumerable<string> known) => new(
        $"{name}, line {Token.Line}: the {what} \"{OneLine.Of(found, 40)}\" is not known here: known are "
        + string.Join(", ", known.Order(StringComparer.Ordinal)));

    private bool IsBehind(TemplateTokenKind kind, string text) =>
        _at + 1 < tokens.Count && tokens[_at + 1] is var next && next.Kind == kind && next.Text == text;

    private bool Take(bool isIt)
    {
        if (isIt)
            _at++;
        return isIt;
    }
}
