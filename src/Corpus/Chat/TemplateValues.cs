using System.Collections;
using System.Globalization;
using System.Text;

namespace Elastic.Corpus;

/// <summary>
/// The values of templates, as Jinja has them in Python: none is null, and there are booleans, whole numbers (long), numbers (double),
/// texts (<see cref="TemplateText"/>), lists, and dictionaries of texts.
/// </summary>
internal static class TemplateValues
{
    /// <summary>What a name stands for that nobody has set.</summary>
    public static object Undefined { get; } = new();

    public static bool IsTrue(object? value) => value switch
    {
        null => false,
        bool flag => flag,
        long whole => whole != 0,
        double real => real != 0,
        TemplateText text => text.Text.Length > 0,
        ICollection items => items.Count > 0,
        _ => value != Undefined,
    };

    public static bool AreEqual(object? one, object? other) => (one, other) switch
    {
        (TemplateText a, TemplateText b) => a.Text == b.Text,
        (IList a, IList b) => a.Count == b.Count && a.Cast<object?>().Zip(b.Cast<object?>()).All(p => AreEqual(p.First, p.Second)),
        (Dictionary<string, object?> a, Dictionary<string, object?> b) =>
            a.Count == b.Count && a.All(p => b.TryGetValue(p.Key, out var value) && AreEqual(p.Value, value)),
        _ when IsNumber(one) && IsNumber(other) => Number(one) == Number(other),
        _ => Equals(one, other),
    };

    public static bool IsNumber(object? value) => value is long or double or bool;

    public static double Number(object? value) => value is bool flag ? flag ? 1 : 0 : Convert.ToDouble(value, CultureInfo.InvariantCulture);

    /// <summary>Negative, zero or positive; null where the two have no order.</summary>
    public static int? Compare(object? one, object? other) => (one, other) switch
    {
        (TemplateText a, TemplateText b) => string.CompareOrdinal(a.Text, b.Text),
        _ when IsNumber(one) && IsNumber(other) => Number(one).CompareTo(Number(other)),
        _ => null,
    };

    /// <summary>Whether something is in a text, a list or the keys of a dictionary; null where it can be in none.</summary>
    public static bool? Contains(object? items, object? item) => items switch
    {
        TemplateText text when item is TemplateText part => text.Text.Contains(part.Text, StringComparison.Ordinal),
        IList list => list.Cast<object?>().Any(i => AreEqual(i, item)),
        Dictionary<string, object?> map => item is TemplateText key && map.ContainsKey(key.Text),
        _ when items == Undefined => false,
        _ => null,
    };

    /// <summary>As it is written down.</summary>
    public static TemplateText Text(object? value) => value switch
    {
        TemplateText text => text,
        null => new TemplateText("None"),
        bool flag => new TemplateText(flag ? "True" : "False"),
        long whole => new TemplateText(whole.ToString(CultureInfo.InvariantCulture)),
        double real => new TemplateText(real.ToString("R", CultureInfo.InvariantCulture)),
        IList or IDictionary => ToJson(value, 0),
        _ => new TemplateText(value == Undefined ? "" : "a function"),
    };

    /// <summary>The JSON of a value, with Python's spaces.</summary>
    /// <param name="indent">Blanks of each level; 0 for one line.</param>
    public static TemplateText ToJson(object? value, int indent)
    {
        var texts = Texts(value).ToList();
        var written = Written(value, indent, indent);
        return texts.Count == 0 ? new TemplateText(written) : TemplateText.Concat(texts).With(written);
    }

    // As Python's json.dumps(ensure_ascii=False), which is what Transformers' tojson is.
    private static string Quoted(string text)
    {
        var quoted = new StringBuilder(text.Length + 2).Append('"');
        foreach (var c in text)
            quoted = c switch
            {
                '"' or '\\' => quoted.Append('\\').Append(c),
                '\n' => quoted.Append("\\n"),
                '\r' => quoted.Append("\\r"),
                '\t' => quoted.Append("\\t"),
                '\b' => quoted.Append("\\b"),
                '\f' => quoted.Append("\\f"),
                < ' ' => quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => quoted.Append(c),
            };
        return quoted.Append('"').ToString();
    }

    // All texts inside, so that what is made of them is known to come from a message.
    private static IEnumerable<TemplateText> Texts(object? value) => value switch
    {
        TemplateText text => [text],
        Dictionary<string, object?> map => map.Values.SelectMany(Texts),
        IList list => list.Cast<object?>().SelectMany(Texts),
        _ => [],
    };

    private static string Written(object? value, int indent, int margin)
    {
        var (separator, begin, end) = indent == 0 ? (", ", "", "")
            : ($",\n{new string(' ', margin)}", $"\n{new string(' ', margin)}", $"\n{new string(' ', margin - indent)}");
        string Among(IEnumerable<string> parts, char open, char close) =>
            string.Join(separator, parts) is { Length: > 0 } inside ? $"{open}{begin}{inside}{end}{close}" : $"{open}{close}";
        return value switch
        {
            null => "null",
            bool flag => flag ? "true" : "false",
            TemplateText text => Quoted(text.Text),
            Dictionary<string, object?> map => Among(map.Select(
                p => $"{Quoted(p.Key)}: {Written(p.Value, indent, margin + indent)}"), '{', '}'),
            IList list => Among(list.Cast<object?>().Select(i => Written(i, indent, margin + indent)), '[', ']'),
            _ => Text(value).Text,
        };
    }
}
