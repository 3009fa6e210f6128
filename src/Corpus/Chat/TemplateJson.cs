using System.Collections;
using System.Globalization;
using System.Text;

namespace Elastic.Corpus;

/// <summary>The JSON of a template's values: as Python's json.dumps(ensure_ascii=False), which is what Transformers' tojson is.</summary>
internal sealed class TemplateJson
{
    private readonly StringBuilder _written = new();
    private readonly List<TemplateText> _texts = [];
    private readonly int _indent;
    private readonly TemplatePlace _at;

    private TemplateJson(int indent, TemplatePlace at) => (_indent, _at) = (indent, at);

    /// <summary>The JSON of a value, with Python's spaces.</summary>
    /// <param name="indent">Blanks of each level; 0 for one line.</param>
    /// <exception cref="FormatException">The value is too deep, or its JSON too long.</exception>
    public static TemplateText Of(object? value, int indent, TemplatePlace at)
    {
        var json = new TemplateJson(indent, at);
        json.Write(value, 0);
        var written = json._written.ToString();
        // What is made of texts is known to come from a message where one of them does.
        return json._texts.Count == 0 ? new TemplateText(written) : TemplateText.Concat(json._texts).With(written);
    }

    private void Write(object? value, int depth)
    {
        _at.Enter(value, depth);
        switch (value)
        {
            case null:
                _written.Append("null");
                break;
            case bool flag:
                _written.Append(flag ? "true" : "false");
                break;
            case TemplateText text:
                _texts.Add(text);
                Quote(text.Text);
                break;
            case Dictionary<string, object?> map:
                Among(map, depth, '{', '}', pair =>
                {
                    Quote(pair.Key);
                    _written.Append(": ");
                    Write(pair.Value, depth + 1);
                });
                break;
            case IList list:
                Among(list.Cast<object?>(), depth, '[', ']', item => Write(item, depth + 1));
                break;
            default:
                _written.Append(TemplateValues.Plain(value));
                break;
        }
        if (_written.Length > TemplateRun.MostCharacters)
            throw _at.Refusal($"makes a text of more than {TemplateRun.MostCharacters} characters");
    }

    private void Among<T>(IEnumerable<T> items, int depth, char open, char close, Action<T> write)
    {
        _written.Append(open);
        var isFirst = true;
        foreach (var item in items)
        {
            _written.Append(isFirst ? "" : _indent == 0 ? ", " : ",");
            isFirst = false;
            NewLine(depth + 1);
            write(item);
        }
        if (!isFirst)
            NewLine(depth);
        _written.Append(close);
    }

    private void NewLine(int depth)
    {
        if (_indent > 0)
            _written.Append('\n').Append(' ', depth * _indent);
    }

    private void Quote(string text)
    {
        _written.Append('"');
        foreach (var c in text)
            _ = c switch
            {
                '"' or '\\' => _written.Append('\\').Append(c),
                '\n' => _written.Append("\\n"),
                '\r' => _written.Append("\\r"),
                '\t' => _written.Append("\\t"),
                '\b' => _written.Append("\\b"),
                '\f' => _written.Append("\\f"),
                < ' ' => _written.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => _written.Append(c),
            };
        _written.Append('"');
    }
}
