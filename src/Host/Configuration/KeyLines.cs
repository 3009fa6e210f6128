namespace Elastic.Host.Configuration;

/// <summary>
/// Finds the line on which each key of a HOCON text is set. Akka's parser keeps no positions, and "unknown key" without a line
/// sends people searching. It understands what the parser accepts (nesting, dots, quotes, lists, comments); where a
/// text is odd it finds fewer keys, and messages then name the file alone.
/// </summary>
internal static class KeyLines
{
    /// <summary>The line (from 1) of the last assignment of each key.</summary>
    public static IReadOnlyDictionary<string, int> Find(string text)
    {
        var scan = new Scan(text);
        scan.Block("");
        return scan.Lines;
    }

    private sealed class Scan(string text)
    {
        private int _at;
        private int _line = 1;

        public Dictionary<string, int> Lines { get; } = new(StringComparer.Ordinal);

        // key = value | key { … } | key : value, separated by commas and line ends, up to the closing brace.
        public void Block(string prefix)
        {
            while (SkipToNext())
            {
                if (text[_at] == '}')
                {
                    _at++;
                    return;
                }

                var line = _line;
                var key = Key();
                if (_at >= text.Length)
                    return;
                var path = prefix.Length == 0 ? key : $"{prefix}.{key}";
                if (key.Length > 0)
                    Lines[path] = line;
                if (text[_at] is '=' or ':' or '+')
                    _at++;
                Value(path);
            }
        }

        private string Key()
        {
            var start = _at;
            while (_at < text.Length && text[_at] is not ('=' or ':' or '{' or '}' or '+' or '\n' or ','))
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
                Block(path);
                return;
            }

            for (var depth = 0; _at < text.Length; Advance())
            {
                switch (text[_at])
                {
                    case '[': depth++; break;
                    case ']': depth--; break;
                    case '"': SkipString(); break;
                    case '#': SkipComment(); return;
                    case '\n' or ',' or '}' when depth <= 0: return;
                }
            }
        }

        private bool SkipToNext()
        {
            while (_at < text.Length && (char.IsWhiteSpace(text[_at]) || text[_at] is ',' or '#' or '/'))
            {
                if (text[_at] is '#' or '/')
                    SkipComment();
                else
                    Advance();
            }

            return _at < text.Length;
        }

        // Stops on the quote that ends the string, or on the last of three.
        private void SkipString()
        {
            var quote = text.AsSpan(_at).StartsWith("\"\"\"") ? "\"\"\"" : "\"";
            for (_at += quote.Length; _at < text.Length && !text.AsSpan(_at).StartsWith(quote); Advance())
            {
                if (quote.Length == 1 && text[_at] == '\\')
                    _at++;
            }

            _at += quote.Length - 1;
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
