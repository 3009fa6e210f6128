namespace Elastic.Host.Configuration;

/// <summary>
/// Finds the line on which each key of a HOCON text is set. Akka's parser keeps no positions, and "unknown key" without a line
/// sends people searching. The scan understands what the parser accepts (nesting, dots, quotes, lists, comments); in an
/// unusual text it finds fewer keys, and messages then name the file alone.
/// </summary>
/// <param name="Lines">The line (from 1) of the last assignment of each key.</param>
/// <param name="Mismatch">An unpaired brace, bracket or quote, which the parser accepts and people did not mean; null for none.</param>
internal sealed record KeyLines(IReadOnlyDictionary<string, int> Lines, string? Mismatch)
{
    public static KeyLines None { get; } = new(new Dictionary<string, int>(), null);

    /// <summary>Scans <paramref name="text"/>.</summary>
    public static KeyLines Find(string text)
    {
        var scan = new Scan(text);
        scan.Block("", opened: 0);
        return new KeyLines(scan.Lines, scan.Mismatch);
    }

    private sealed class Scan(string text)
    {
        private int _at;
        private int _line = 1;

        public Dictionary<string, int> Lines { get; } = new(StringComparer.Ordinal);

        public string? Mismatch { get; private set; }

        // key = value | key { … } | key : value, separated by commas and line ends, up to the closing brace.
        public void Block(string prefix, int opened)
        {
            while (SkipToNext())
            {
                if (text[_at] == '}')
                {
                    _at++;
                    if (opened > 0)
                        return;
                    Mismatch ??= $"the '}}' on line {_line} closes nothing";
                    continue;
                }

                var line = _line;
                var key = Key();
                var ofKey = (_at, _line);
                SkipBlanks();                                          // a value may begin on a later line
                if (_at < text.Length && text[_at] is not ('=' or ':' or '+' or '{'))
                    (_at, _line) = ofKey;
                if (_at >= text.Length)
                    break;
                var path = prefix.Length == 0 ? key : $"{prefix}.{key}";
                if (key.Length > 0)
                    Lines[path] = line;
                if (text[_at] is '=' or ':' or '+')
                {
                    _at++;
                    SkipBlanks();
                }
                Value(path);
            }

            if (opened > 0)
                Mismatch ??= Unclosed('{', opened);
        }

        private static string Unclosed(char opening, int line) => $"the {opening} on line {line} is never closed";

        private string Key()
        {
            var start = _at;
            while (_at < text.Length && text[_at] is not ('=' or ':' or '{' or '}' or '+' or '\n' or ',') && !IsComment())
                _at++;
            return text[start.._at].Replace("\"", "", StringComparison.Ordinal).Trim();
        }

        private void Value(string path)
        {
            while (_at < text.Length && text[_at] is ' ' or '\t' or '\r' or '=')
                _at++;
            if (_at < text.Length && text[_at] == '{')
            {
                _at++;
                Block(path, _line);
                return;
            }

            var bracket = 0;
            var depth = 0;
            for (; _at < text.Length; Advance())
            {
                switch (text[_at])
                {
                    case '[': depth++; bracket = _line; break;
                    case ']': depth--; break;
                    case '"': SkipString(); break;
                    case '$': SkipSubstitution(); break;
                    case '#' or '/' when IsComment(): SkipComment(); _at--; break;
                    case '\n' or ',' or '}' when depth <= 0: return;
                }
            }

            if (depth > 0)
                Mismatch ??= Unclosed('[', bracket);
        }

        private bool SkipToNext()
        {
            for (SkipBlanks(); _at < text.Length && text[_at] == ','; SkipBlanks())
                _at++;
            return _at < text.Length;
        }

        private void SkipBlanks()
        {
            while (_at < text.Length && (char.IsWhiteSpace(text[_at]) || IsComment()))
            {
                if (IsComment())
                    SkipComment();
                else
                    Advance();
            }
        }

        // Outside of quotes everywhere, as the parser has it: an address has to stand in quotes.
        private bool IsComment() => text.AsSpan(_at) is ['#', ..] or ['/', '/', ..];

        // Stops on the quote that ends the string, or on the last of three.
        private void SkipString()
        {
            var opened = _line;
            var quote = text.AsSpan(_at).StartsWith("\"\"\"") ? "\"\"\"" : "\"";
            for (_at += quote.Length; _at < text.Length && !text.AsSpan(_at).StartsWith(quote); Advance())
            {
                if (quote.Length == 1 && text[_at] == '\\')
                    _at++;
            }

            if (_at >= text.Length)
                Mismatch ??= Unclosed('"', opened);
            _at += quote.Length - 1;
        }

        // ${name}: its braces open no block.
        private void SkipSubstitution()
        {
            while (_at + 1 < text.Length && text[_at] != '}' && text[_at + 1] != '\n')
                _at++;
        }

        private void SkipComment()
        {
            while (_at < text.Length && text[_at] != '\n')
                _at++;
        }

        private void Advance()
        {
            if (_at < text.Length && text[_at] == '\n')
                _line++;
            _at++;
        }
    }
}
