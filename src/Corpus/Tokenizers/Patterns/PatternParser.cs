using System.Globalization;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>One step of a compiled expression.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="A">The set of a Consume or an Ahead; the first way of a Fork; the target of a Jump.</param>
/// <param name="B">The second way of a Fork, taken where the first leads to no match; 1 for a negative Ahead.</param>
internal readonly record struct PatternStep(PatternStepKind Kind, int A = 0, int B = 0);

/// <summary>See <see cref="PatternStep"/>.</summary>
internal enum PatternStepKind
{
    /// <summary>Reads one code point of a set.</summary>
    Consume,

    /// <summary>Tries two ways, the first one first.</summary>
    Fork,

    /// <summary>Goes on elsewhere.</summary>
    Jump,

    /// <summary>Demands that the next code point is, or is not, of a set, and reads none.</summary>
    Ahead,

    /// <summary>The expression has matched.</summary>
    Match,
}

/// <summary>
/// Compiles the regular expressions of tokenizer files into steps (Thompson 1968, with the order of alternatives kept). It knows literals,
/// classes, categories of Unicode, groups, alternatives, greedy and lazy repetition, (?i:…), and looking ahead by one code point, which is
/// all that the published expressions use. Anything else is refused: nothing is read in another sense than it was written.
/// </summary>
internal sealed class PatternParser
{
    private const int MostSteps = 10_000, MostDepth = 50, MostRepeats = 1_000;
    private const string Known =
        "known are literals, [classes], \\s \\S \\d \\D \\w \\W \\p{L} \\p{Lu}, (groups), |, * + ? {1,3}, (?i:…), (?=x) and (?!x)";

    private readonly string _text;
    private readonly List<PatternStep> _steps = [];
    private readonly List<CodePointSet> _sets = [];
    private readonly Dictionary<string, int> _known = new(StringComparer.Ordinal);
    private int _at, _depth;
    private bool _anyCase;

    private PatternParser(string text) => _text = text;

    /// <summary>The steps, of which the last is the match, and the sets that they name by number.</summary>
    /// <exception cref="ElasticException">The expression is wrong, or uses what is not known.</exception>
    public static (PatternStep[] Steps, CodePointSet[] Sets) Parse(string text)
    {
        var parser = new PatternParser(text);
        parser.Alternatives();
        if (parser._at < text.Length)
            throw parser.Wrong("there is a ) without its (");
        parser.Add(new PatternStep(PatternStepKind.Match));
        return ([.. parser._steps], [.. parser._sets]);
    }

    private bool IsAtEnd => _at == _text.Length;

    private void Alternatives()
    {
        if (++_depth > MostDepth)
            throw Wrong($"its groups are nested more than {MostDepth} deep");
        var start = _steps.Count;
        var ends = new List<int>();
        while (true)
        {
            while (!IsAtEnd && _text[_at] is not ('|' or ')'))
                Repeated();
            if (!Accept('|'))
                break;
            Insert(start, new PatternStep(PatternStepKind.Fork, start + 1, _steps.Count + 2));
            ends.Add(_steps.Count);
            Add(new PatternStep(PatternStepKind.Jump));
            start = _steps.Count;
        }
        foreach (var end in ends)
            _steps[end] = new PatternStep(PatternStepKind.Jump, _steps.Count);
        _depth--;
    }

    // One item, and how often.
    private void Repeated()
    {
        var start = _steps.Count;
        Item();
        if (IsAtEnd)
            return;
        var (least, most) = _text[_at] switch
        {
            '*' => (0, int.MaxValue),
            '+' => (1, int.MaxValue),
            '?' => (0, 1),
            '{' => Counts(),
            _ => (1, 1),
        };
        if ((least, most) == (1, 1) && _text[_at] != '{')
            return;
        _at = _text[_at] == '{' ? _text.IndexOf('}', _at) + 1 : _at + 1;
        var isLazy = Accept('?');
        if (!IsAtEnd && _text[_at] is '+' or '*')
            throw Wrong("it repeats a repetition");
        Repeat(start, least, most, isLazy);
    }

    private void Repeat(int start, int least, int most, bool isLazy)
    {
        var body = _steps.GetRange(start, _steps.Count - start);
        _steps.RemoveRange(start, body.Count);
        for (var i = 0; i < least; i++)
            Copy(body, start);
        if (most == int.MaxValue)
        {
            var loop = _steps.Count;
            Add(Fork(loop + 1, loop + body.Count + 2, isLazy));
            Copy(body, start);
            Add(new PatternStep(PatternStepKind.Jump, loop));
            return;
        }
        var end = _steps.Count + (most - least) * (body.Count + 1);
        for (var i = least; i < most; i++)
        {
            Add(Fork(_steps.Count + 1, end, isLazy));
            Copy(body, start);
        }
    }

    private static PatternStep Fork(int into, int past, bool isLazy) =>
        isLazy ? new PatternStep(PatternStepKind.Fork, past, into) : new PatternStep(PatternStepKind.Fork, into, past);

    private (int Least, int Most) Counts()
    {
        var end = _text.IndexOf('}', _at);
        var parts = end < 0 ? [] : _text[(_at + 1)..end].Split(',');
        const NumberStyles digits = NumberStyles.None;
        if (parts.Length is 1 or 2 && int.TryParse(parts[0], digits, CultureInfo.InvariantCulture, out var least) && least <= MostRepeats)
        {
            if (parts.Length == 1)
                return (least, least);
            if (parts[1].Length == 0)
                return (least, int.MaxValue);
            if (int.TryParse(parts[1], digits, CultureInfo.InvariantCulture, out var most) && most >= least && most <= MostRepeats)
                return (least, most);
        }
        throw Wrong($"a repetition is none of {{n}}, {{n,}} and {{n,m}} up to {MostRepeats}");
    }

    private void Item()
    {
        switch (_text[_at])
        {
            case '(':
                Group();
                break;
            case '[':
                _at++;
                Consume(Class(out var name), name);
                break;
            case '*' or '+' or '?' or '{' or '^' or '$':
                throw Wrong($"\"{_text[_at]}\" stands where it is not known");
            default:
                Consume(Single(out var key, inClass: false, out _), key);
                break;
        }
    }

    private void Group()
    {
        _at++;
        var (anyCase, isAhead, isNegative) = (_anyCase, false, false);
        if (AcceptText("?i:"))
            _anyCase = true;
        else if (AcceptText("?=") || (isNegative = AcceptText("?!")))
            isAhead = true;
        else if (!AcceptText("?:") && !IsAtEnd && _text[_at] == '?')
            throw Wrong($"a group (?{(_at + 1 < _text.Length ? _text[_at + 1] : ' ')} is not known");
        var start = _steps.Count;
        Alternatives();
        if (!Accept(')'))
            throw Wrong("there is a ( without its )");
        _anyCase = anyCase;
        if (!isAhead)
            return;
        if (_steps.Count != start + 1 || _steps[start].Kind != PatternStepKind.Consume)
            throw Wrong("it looks ahead by more than one character");
        _steps[start] = new PatternStep(PatternStepKind.Ahead, _steps[start].A, isNegative ? 1 : 0);
    }

    private CodePointSet Class(out string key)
    {
        var start = _at;
        var isNegative = Accept('^');
        var members = new List<CodePointSet>();
        while (true)
        {
            if (IsAtEnd)
                throw Wrong("there is a [ without its ]");
            if (_at > start + (isNegative ? 1 : 0) && Accept(']'))
                break;
            if (_text[_at] == '[' || AcceptText("&&"))
                throw Wrong("it has a class inside a class");
            var member = Single(out _, inClass: true, out var first);
            if (first >= 0 && _at + 1 < _text.Length && _text[_at] == '-' && _text[_at + 1] != ']')
            {
                _at++;
                Single(out _, inClass: true, out var last);
                if (last < first)
                    throw Wrong("a range of characters ends before it begins");
                member = (c, _) => c >= first && c <= last;
            }
            members.Add(member);
        }
        CodePointSet[] all = [.. members];
        key = _text[start.._at];
        return isNegative
            ? (c, category) => !Array.Exists(all, m => m(c, category))
            : (c, category) => Array.Exists(all, m => m(c, category));
    }

    // One character or escape; the code point where it is a single one, else -1.
    private CodePointSet Single(out string key, bool inClass, out int codePoint)
    {
        var start = _at;
        codePoint = CodePoints.At(_text, _at, out var width);
        _at += width;
        if (codePoint == '.' && !inClass)
        {
            key = ".";
            return (c, _) => c != '\n';
        }
        if (codePoint != '\\')
            return Literal(codePoint, out key);
        if (IsAtEnd)
            throw Wrong("it ends with a backslash");
        var letter = _text[_at++];
        codePoint = -1;
        CodePointSet? set = char.ToLowerInvariant(letter) switch
        {
            's' => CodePoints.IsWhiteSpace,
            'd' => (_, category) => category == UnicodeCategory.DecimalDigitNumber,
            'w' => CodePoints.IsWordOfExpression,
            'p' => Category(),
            _ => null,
        };
        key = _text[start.._at];
        if (set is not null)
            return char.IsLower(letter) ? set : (c, category) => !set(c, category);
        codePoint = letter switch
        {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'f' => '\f',
            'v' => '\v',
            'x' or 'u' => Hexadecimal(letter == 'x' ? 2 : 4),
            _ when !char.IsAsciiLetterOrDigit(letter) => letter,
            _ => throw Wrong($"\"\\{letter}\" is not known"),
        };
        return Literal(codePoint, out key);
    }

    private CodePointSet Category()
    {
        var end = _text.IndexOf('}', _at);
        if (!Accept('{') || end < 0)
            throw Wrong("a category is not of the form \\p{L}");
        var isNegative = Accept('^');
        var name = _text[_at..end];
        _at = end + 1;
        var set = CodePoints.OfCategory(name)
            ?? throw Wrong($"\\p{{{OneLine.Of(name, 20)}}} is none of Unicode's categories, e.g. L, Lu or N");
        return isNegative ? (c, category) => !set(c, category) : set;
    }

    private int Hexadecimal(int digits)
    {
        var isBraced = Accept('{');
        var end = isBraced ? _text.IndexOf('}', _at) : _at + digits;
        if (end < 0 || end > _text.Length
            || !int.TryParse(_text.AsSpan(_at, end - _at), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
            || code is < 0 or >= CodePoints.Count)
            throw Wrong("a character's number is none");
        _at = isBraced ? end + 1 : end;
        return code;
    }

    private static CodePointSet Literal(int codePoint, out string key)
    {
        key = $"={codePoint}";
        return (c, _) => c == codePoint;
    }

    private void Consume(CodePointSet set, string key)
    {
        if (_anyCase)
            (set, key) = (InAnyCase(set), "i" + key);
        if (!_known.TryGetValue(key, out var number))
        {
            number = _known[key] = _sets.Count;
            _sets.Add(set);
            if (_sets.Count > Pattern.MostSets)
                throw Wrong($"it has more than {Pattern.MostSets} different characters and classes");
        }
        Add(new PatternStep(PatternStepKind.Consume, number));
    }

    // Simple case folding. Three characters fold to letters that are not their lower case in .NET's tables.
    private static CodePointSet InAnyCase(CodePointSet set) => (c, category) =>
    {
        var (lower, upper) = c switch
        {
            '\u017F' => ('s', 'S'),
            '\u212A' => ('k', 'K'),
            '\u212B' => ('\u00E5', '\u00C5'),
            _ when System.Text.Rune.TryCreate(c, out var rune) =>
                (System.Text.Rune.ToLowerInvariant(rune).Value, System.Text.Rune.ToUpperInvariant(rune).Value),
            _ => (c, c),
        };
        return set(c, category) || set(lower, CharUnicodeInfo.GetUnicodeCategory(lower))
            || set(upper, CharUnicodeInfo.GetUnicodeCategory(upper));
    };

    private void Add(PatternStep step)
    {
        if (_steps.Count == MostSteps)
            throw Wrong($"it has more than {MostSteps} steps");
        _steps.Add(step);
    }

    private void Insert(int at, PatternStep step)
    {
        Add(step);
        _steps.RemoveAt(_steps.Count - 1);
        for (var i = at; i < _steps.Count; i++)
            _steps[i] = Moved(_steps[i], at, 1);
        _steps.Insert(at, step);
    }

    private void Copy(List<PatternStep> body, int from)
    {
        var by = _steps.Count - from;
        foreach (var step in body)
            Add(Moved(step, from, by));
    }

    private static PatternStep Moved(PatternStep step, int from, int by) => step.Kind switch
    {
        PatternStepKind.Fork => step with { A = step.A >= from ? step.A + by : step.A, B = step.B >= from ? step.B + by : step.B },
        PatternStepKind.Jump => step with { A = step.A >= from ? step.A + by : step.A },
        _ => step,
    };

    private bool Accept(char c)
    {
        if (IsAtEnd || _text[_at] != c)
            return false;
        _at++;
        return true;
    }

    private bool AcceptText(string text)
    {
        if (!_text.AsSpan(_at).StartsWith(text, StringComparison.Ordinal))
            return false;
        _at += text.Length;
        return true;
    }

    private ElasticException Wrong(string why) =>
        new($"the expression \"{OneLine.Of(_text, 200)}\" cannot be used: {why} (at character {_at}); {Known}");
}
