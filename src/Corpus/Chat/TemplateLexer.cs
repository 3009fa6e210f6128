using System.Globalization;
using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>What a token of a template is.</summary>
internal enum TemplateTokenKind
{
    /// <summary>Text that is written as it is.</summary>
    Data,

    /// <summary>The beginning of <c>{{ }}</c>.</summary>
    BeginOutput,

    /// <summary>The beginning of <c>{% %}</c>.</summary>
    BeginStatement,

    /// <summary>The end of either.</summary>
    End,

    Name,
    Text,
    Whole,
    Real,
    Sign,

    /// <summary>The end of the template.</summary>
    Nothing,
}

/// <summary>A token of a template.</summary>
/// <param name="Line">Where it stands, from 1.</param>
internal readonly record struct TemplateToken(TemplateTokenKind Kind, string Text, int Line);

/// <summary>
/// Cuts a Jinja template into tokens, with the white space as Transformers has it: the line's end behind a statement or a comment, and the
/// blanks before one that begins a line, are no text (trim_blocks, lstrip_blocks); a minus sign takes all white space on its side.
/// </summary>
internal sealed class TemplateLexer
{
    // The longest first.
    private static readonly string[] Signs =
    [
        "//", "**", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|",
    ];

    private readonly string _source, _name;
    private readonly List<TemplateToken> _tokens = [];
    private int _at, _line = 1;

    private TemplateLexer(string source, string name) => (_source, _name) = (source, name);

    /// <param name="name">What the template is called in messages.</param>
    /// <exception cref="ElasticException">A tag or a text does not end, or a character has no meaning.</exception>
    public static List<TemplateToken> Cut(string source, string name)
    {
        source = source.ReplaceLineEndings("\n");
        var lexer = new TemplateLexer(source.EndsWith('\n') ? source[..^1] : source, name);
        lexer.Cut();
        return lexer._tokens;
    }

    private void Cut()
    {
        var (takesLeft, startsLine) = (false, true);
        while (_at < _source.Length)
        {
            var tag = NextTag();
            var data = _source[_at..(tag < 0 ? _source.Length : tag)];
            var (shown, lines) = (takesLeft ? data.TrimStart() : data, data.Count(c => c == '\n'));
            if (tag >= 0)
            {
                var (kind, sign) = (_source[tag + 1], tag + 2 < _source.Length ? _source[tag + 2] : ' ');
                if (sign == '-')
                    shown = shown.TrimEnd();
                else if (kind != '{' && sign != '+')
                    shown = WithoutBlanksOfLine(shown, startsLine);
            }
            if (shown.Length > 0)
                Add(TemplateTokenKind.Data, shown);
            _line += lines;
            if (tag < 0)
                return;
            _at = tag;
            (takesLeft, startsLine) = Tag();
        }
    }

    private static string WithoutBlanksOfLine(string text, bool startsLine)
    {
        var begins = text.LastIndexOf('\n') + 1;
        return (begins > 0 || startsLine) && string.IsNullOrWhiteSpace(text[begins..]) ? text[..begins] : text;
    }

    private int NextTag()
    {
        for (var at = _at; (at = _source.IndexOf('{', at)) >= 0 && at + 1 < _source.Length; at++)
            if (_source[at + 1] is '{' or '%' or '#')
                return at;
        return -1;
    }

    // Whether all white space behind the tag goes, and whether what follows begins a line.
    private (bool TakesLeft, bool StartsLine) Tag()
    {
        var (kind, line) = (_source[_at + 1], _line);
        _at += 2;
        if (_at < _source.Length && _source[_at] is '-' or '+')
            _at++;
        if (kind == '#')
        {
            var end = _source.IndexOf("#}", _at, StringComparison.Ordinal);
            if (end < 0)
                throw Wrong(line, "a comment begins, and does not end");
            _line += _source[_at..end].Count(c => c == '\n');
            var strips = end > _at && _source[end - 1] == '-';
            _at = end + 2;
            return Behind(strips, keepsAll: false);
        }
        Add(kind == '{' ? TemplateTokenKind.BeginOutput : TemplateTokenKind.BeginStatement, "");
        var close = kind == '{' ? "}}" : "%}";
        var depth = 0;
        while (true)
        {
            SkipBlanks();
            if (_at >= _source.Length)
                throw Wrong(line, $"a tag begins, and does not end with {close}");
            var strips = _source[_at] is '-' or '+' && Follows(close, _at + 1);
            if (depth == 0 && (strips || Follows(close, _at)))
            {
                var (takesLeft, keepsAll) = (strips && _source[_at] == '-', kind == '{' || _source[_at] == '+');
                _at += close.Length + (strips ? 1 : 0);
                Add(TemplateTokenKind.End, close);
                return Behind(takesLeft, keepsAll);
            }
            var token = Next();
            depth += token switch { "(" or "[" or "{" => 1, ")" or "]" or "}" => -1, _ => 0 };
        }
    }

    private (bool TakesLeft, bool StartsLine) Behind(bool strips, bool keepsAll)
    {
        if (strips || keepsAll || _at >= _source.Length || _source[_at] != '\n')
            return (strips, false);
        _at++;
        _line++;
        return (false, true);
    }

    private string Next()
    {
        var c = _source[_at];
        if (c is '"' or '\'')
            return Quoted(c);
        var from = _at;
        if (char.IsAsciiLetter(c) || c == '_')
        {
            while (_at < _source.Length && (char.IsAsciiLetterOrDigit(_source[_at]) || _source[_at] == '_'))
                _at++;
            return Add(TemplateTokenKind.Name, _source[from.._at]);
        }
        if (char.IsAsciiDigit(c))
        {
            while (_at < _source.Length && char.IsAsciiDigit(_source[_at]))
                _at++;
            var isReal = _at + 1 < _source.Length && _source[_at] == '.' && char.IsAsciiDigit(_source[_at + 1]);
            if (isReal)
                for (_at++; _at < _source.Length && char.IsAsciiDigit(_source[_at]);)
                    _at++;
            return Add(isReal ? TemplateTokenKind.Real : TemplateTokenKind.Whole, _source[from.._at]);
        }
        var sign = Array.Find(Signs, s => Follows(s, _at)) ?? throw Wrong(_line, $"\"{OneLine.Of(c.ToString())}\" has no meaning here");
        _at += sign.Length;
        return Add(TemplateTokenKind.Sign, sign);
    }

    // Escapes as Python has them.
    private string Quoted(char quote)
    {
        var (text, line) = (new StringBuilder(), _line);
        for (_at++; _at < _source.Length && _source[_at] != quote; _at++)
        {
            var c = _source[_at];
            _line += c == '\n' ? 1 : 0;
            if (c != '\\' || _at + 1 == _source.Length)
            {
                text.Append(c);
                continue;
            }
            var digits = _source[++_at] switch { 'x' => 2, 'u' => 4, _ => 0 };
            if (digits > 0 && _at + digits < _source.Length && int.TryParse(
                _source.AsSpan(_at + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code))
            {
                text.Append((char)code);
                _at += digits;
                continue;
            }
            text.Append(_source[_at] switch
            {
                'n' => "\n",
                't' => "\t",
                'r' => "\r",
                '\n' => "",
                '\\' or '\'' or '"' => _source[_at].ToString(),
                var other => $"\\{other}",
            });
        }
        if (_at == _source.Length)
            throw Wrong(line, "a text begins, and does not end with " + quote);
        _at++;
        _tokens.Add(new TemplateToken(TemplateTokenKind.Text, text.ToString(), line));
        return "";
    }

    private void SkipBlanks()
    {
        for (; _at < _source.Length && char.IsWhiteSpace(_source[_at]); _at++)
            _line += _source[_at] == '\n' ? 1 : 0;
    }

    private bool Follows(string text, int at) => string.CompareOrdinal(_source, at, text, 0, text.Length) == 0;

    private string Add(TemplateTokenKind kind, string text)
    {
        _tokens.Add(new TemplateToken(kind, text, _line));
        return text;
    }

    private ElasticException Wrong(int line, string why) => new($"{_name}, line {line}: {why}");
}
