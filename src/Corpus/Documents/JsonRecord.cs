using System.Buffers;
using System.Globalization;
using System.Text;
using Elastic.Messages.Corpora;

namespace Elastic.Corpus;

/// <summary>
/// Reads the strings that a corpus needs out of one JSON object, and passes over the rest without judging it: a NaN, a deep list or half a
/// surrogate pair in another field is no reason to lose the text. Takes time and memory in proportion to the line.
/// </summary>
internal ref partial struct JsonRecord
{
    private const int FieldsNamed = 5;
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdefABCDEF");

    private readonly ReadOnlySpan<byte> _json;
    private int _position;
    private int _replaced;
    private string? _url;
    private string? _language;

    // What is wanted of the record besides its text, and what was found of it; null where nobody asked.
    private RecordFields? _fields;
    private Dictionary<string, string>? _values;

    private JsonRecord(ReadOnlySpan<byte> json) => _json = json;

    /// <summary>The text of the record and its source; a problem where it has none.</summary>
    /// <param name="Text">Null where there is a problem.</param>
    /// <param name="Source">From <c>meta.pile_set_name</c>, else <c>source</c>.</param>
    /// <param name="Replaced">Halves of surrogate pairs that became U+FFFD.</param>
    public readonly record struct Found(string? Text, string? Source, int Replaced, string Problem)
    {
        /// <summary>From the field <c>url</c>, of the record or of its <c>meta</c>; null where there is none.</summary>
        public string? Url { get; init; }

        /// <summary>From <c>language</c>; null where there is none.</summary>
        public string? Language { get; init; }

        /// <summary>What <see cref="RecordFields"/> name of it; null where nobody asked.</summary>
        public IReadOnlyDictionary<string, string>? Values { get; init; }

        /// <summary>What comes before the text; null where nothing was asked for.</summary>
        public string? Prompt { get; init; }

        /// <summary>A conversation, of which the text is what is scored; null for anything else.</summary>
        public IReadOnlyList<ChatPiece>? Pieces { get; init; }
    }

    /// <param name="json">One line of valid UTF-8.</param>
    /// <param name="field">The name of the field that holds the text.</param>
    /// <param name="answer">The name of the field with the answer to it, which is the text then; null for none.</param>
    /// <param name="fields">What is kept besides; null for nothing but what every record may say.</param>
    public static Found Read(ReadOnlySpan<byte> json, string field, string? answer = null, RecordFields? fields = null)
    {
        var record = new JsonRecord(json) { _fields = fields, _values = fields is null ? null : new(StringComparer.Ordinal) };
        try
        {
            return record.ReadAll(field, answer);
        }
        catch (FormatException e)
        {
            return new Found(null, null, 0, e.Message);
        }
    }

    /// <summary>Whether a line is one whole object.</summary>
    public static bool IsObject(ReadOnlySpan<byte> json)
    {
        var record = new JsonRecord(json);
        try
        {
            record.Begin();
            while (record.NextKey() is not null)
                record.SkipValue();
            record.End();
            return true;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private Found ReadAll(string field, string? answer)
    {
        var (text, answered, source, pile) = ((string?)null, (string?)null, (string?)null, (string?)null);
        var names = new List<string>();
        Begin();
        while (NextKey() is { } key)
        {
            if (key != field)
                Note(key);
            // Of two fields of one name the last one counts.
            if (key == field)
                text = StringOrSkip();
            else if (key == answer)
                answered = StringOrSkip();
            else if (!TakeSource(key, ref source, ref pile))
                SkipValue();
            Name(names, key);
        }
        End();
        var named = SourceOf(source, pile);
        if (text is null)
            return Without(field, names);
        if (answer is null)
            return new Found(text, named, _replaced, "") { Url = _url, Language = _language, Values = _values };
        if (answered is null)
            return Without(answer, names);
        return answered.Length == 0
            ? new Found(null, null, 0, $"the field \"{answer}\" is empty")
            : new Found(answered, named, _replaced, "") { Prompt = text, Url = _url, Language = _language, Values = _values };
    }

    private void Begin()
    {
        SkipSpace();
        if (Next() != '{')
            throw new FormatException("it is not a JSON object");
    }

    private void End()
    {
        SkipSpace();
        if (_position < _json.Length)
            throw Broken("there is more behind the end of the object");
    }

    // True where the field is one that names the source or the language, and was taken.
    private bool TakeSource(string key, ref string? source, ref string? pile)
    {
        if (key == "source")
            source = StringOrSkip();
        else if (key == "url")
            _url = StringIfWhole();
        else if (key == "language")
            _language = Code();
        else if (key == "meta" && Peek() == '{')
            pile = PileName();
        else
            return false;
        return true;
    }

    // Passes over the value without judging it: a code has no escapes.
    private string? Code()
    {
        var start = _position;
        SkipValue();
        var value = _json[start.._position].Trim(" \t\r"u8);
        return value.Length > 2 && value[0] == '"' && value[^1] == '"' && value.Length - 2 <= LanguageCode.Longest
            ? LanguageCode.Of(Encoding.ASCII.GetString(value[1..^1]))
            : null;
    }

    private static string? SourceOf(string? source, string? pile) =>
        pile is { Length: > 0 } ? pile : source is { Length: > 0 } ? source : null;

    private static void Name(List<string> names, string key)
    {
        if (names.Count < FieldsNamed)
            names.Add(key);
    }

    private static Found Without(string field, List<string> names) =>
        new(null, null, 0, $"there is no field \"{field}\" with a string (it has {Listed(names)})");

    private static string Listed(List<string> names) => names.Count == 0 ? "none" : string.Join(", ", names);

    private string? PileName()
    {
        string? pile = null;
        _position++;
        while (NextKey() is { } key)
            if (key == "pile_set_name")
                pile = StringOrSkip();
            else if (key == "url")
                _url ??= StringIfWhole();
            else
                SkipValue();
        return pile;
    }

    // The next key of an object and its colon; null at the end of the object, which it takes.
    private string? NextKey()
    {
        SkipSpace();
        if (Peek() == ',')
            _position++;
        SkipSpace();
        if (Peek() == '}')
        {
            _position++;
            return null;
        }
        var key = TakeString();
        SkipSpace();
        if (Next() != ':')
            throw Broken("a colon is missing");
        SkipSpace();
        return key;
    }

    private string? StringOrSkip()
    {
        if (Peek() == '"')
        {
            var text = TakeString();
            SkipSpace();
            return Peek() is ',' or '}' ? text : throw Broken("a comma is missing");
        }
        SkipValue();
        return null;
    }

    // A string that is not what the record is read for: a fault in it costs nothing.
    private string? StringIfWhole()
    {
        var start = _position;
        SkipValue();
        if (_json[start.._position].Trim(" \t\r"u8) is not [(byte)'"', .., (byte)'"'] text)
            return null;
        var replaced = _replaced;
        try
        {
            return Unescape(text[1..^1], start + 1);
        }
        catch (FormatException)
        {
            return null;
        }
        finally
        {
            _replaced = replaced;
        }
    }

    private string TakeString()
    {
        if (Next() != '"')
            throw Broken("a quotation mark is missing");
        var start = _position;
        SkipString();
        var content = _json[start..(_position - 1)];
        return content.Contains((byte)'\\') ? Unescape(content, start) : Encoding.UTF8.GetString(content);
    }

    // From behind the first quotation mark to behind the last one.
    private void SkipString()
    {
        while (true)
        {
            var length = _json[_position..].IndexOfAny((byte)'"', (byte)'\\');
            if (length < 0)
                throw Broken("the line ends inside a string");
            _position += length + 1;
            if (_json[_position - 1] == '"')
                return;
            Next();
        }
    }

    // Any value, up to the ',' or '}' behind it. Numbers and words are not looked at.
    private void SkipValue()
    {
        for (var depth = 0; ;)
            switch (Peek())
            {
                case '"':
                    _position++;
                    SkipString();
                    break;
                case '{' or '[':
                    depth++;
                    _position++;
                    break;
                case '}' or ']' when depth > 0:
                    depth--;
                    _position++;
                    break;
                case ',' or '}' or ']' when depth == 0:
                    return;
                default:
                    _position++;
                    break;
            }
    }

    private string Unescape(ReadOnlySpan<byte> content, int start)
    {
        var text = new StringBuilder(content.Length);
        for (var i = 0; i < content.Length;)
        {
            var length = content[i..].IndexOf((byte)'\\');
            text.Append(Encoding.UTF8.GetString(content[i..(length < 0 ? content.Length : i + length)]));
            if (length < 0)
                break;
            i += length + 2;
            var escape = (char)content[i - 1];
            if (escape == 'u')
            {
                text.Append(Utf16(content, i, start));
                i += 4;
                continue;
            }
            text.Append(escape switch
            {
                '"' or '\\' or '/' => escape,
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\b',
                'f' => '\f',
                _ => throw new FormatException($"byte {start + i - 1}: \\{escape} is no escape of JSON"),
            });
        }
        return WithoutHalfPairs(text);
    }

    private static char Utf16(ReadOnlySpan<byte> content, int at, int start) =>
        content.Length >= at + 4 && Encoding.ASCII.GetString(content.Slice(at, 4)) is var hex && !hex.AsSpan().ContainsAnyExcept(HexDigits)
            && ushort.TryParse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
            ? (char)code
            : throw new FormatException($"byte {start + at - 1}: \\u needs four hexadecimal digits");

    // What is a half of a pair here cannot be encoded: UTF-8 has no place for it.
    private string WithoutHalfPairs(StringBuilder written)
    {
        var text = written.ToString().ToCharArray();
        for (var i = 0; i < text.Length; i++)
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
                i++;
            else if (char.IsSurrogate(text[i]))
                (text[i], _replaced) = ('\uFFFD', _replaced + 1);
        return new string(text);
    }

    private void SkipSpace()
    {
        while (_position < _json.Length && _json[_position] is (byte)' ' or (byte)'\t' or (byte)'\r')
            _position++;
    }

    private readonly char Peek() => _position < _json.Length ? (char)_json[_position] : throw Broken("the line ends inside the object");

    private char Next()
    {
        var next = Peek();
        _position++;
        return next;
    }

    private readonly FormatException Broken(string what) => new($"byte {_position}: {what}");
}
