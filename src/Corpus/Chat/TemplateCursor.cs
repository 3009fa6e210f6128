using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Where the reading of a template is.</summary>
internal sealed class TemplateCursor(List<TemplateToken> tokens, string name)
{
    // Of parts inside each other, so that no template ends the stack.
    private const int MostDepth = 100;

    // Of 1 + 1 + ... in one tag: each link calls the one before it, so that a long chain would end the stack, too. Published templates
    // have some 30.
    private const int MostLinks = 1000;

    private int _at, _depth, _links;

    public TemplateToken Token => _at < tokens.Count
        ? tokens[_at] : new TemplateToken(TemplateTokenKind.Nothing, "", tokens.Count == 0 ? 1 : tokens[^1].Line);

    public TemplateToken Next()
    {
        var token = Token;
        if (token.Kind is TemplateTokenKind.BeginOutput or TemplateTokenKind.BeginStatement)
            _links = 0;
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

    /// <summary>Counts a link of a chain: an operator, a member, an item, a call, a filter or a test.</summary>
    public void Link()
    {
        if (++_links > MostLinks)
            throw Wrong($"has more than {MostLinks} operators, members, calls, filters and tests in one tag");
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
