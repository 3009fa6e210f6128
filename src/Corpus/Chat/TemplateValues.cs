using System.Collections;
using System.Globalization;

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

    /// <exception cref="FormatException">They are too deep, or too much work.</exception>
    public static bool AreEqual(object? one, object? other, TemplatePlace at) => AreEqual(one, other, at, 0);

    private static bool AreEqual(object? one, object? other, TemplatePlace at, int depth)
    {
        at.Enter(one, depth);
        return (one, other) switch
        {
            (TemplateText a, TemplateText b) => a.Text == b.Text,
            (IList a, IList b) => a.Count == b.Count
                && a.Cast<object?>().Zip(b.Cast<object?>()).All(p => AreEqual(p.First, p.Second, at, depth + 1)),
            (Dictionary<string, object?> a, Dictionary<string, object?> b) => a.Count == b.Count
                && a.All(p => b.TryGetValue(p.Key, out var value) && AreEqual(p.Value, value, at, depth + 1)),
            _ when IsNumber(one) && IsNumber(other) => Number(one) == Number(other),
            _ => Equals(one, other),
        };
    }

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
    public static bool? Contains(object? items, object? item, TemplatePlace at) => items switch
    {
        TemplateText text when item is TemplateText part => text.Text.Contains(part.Text, StringComparison.Ordinal),
        IList list => list.Cast<object?>().Any(i => AreEqual(i, item, at)),
        Dictionary<string, object?> map => item is TemplateText key && map.ContainsKey(key.Text),
        _ when items == Undefined => false,
        _ => null,
    };

    /// <summary>As it is written down.</summary>
    /// <exception cref="FormatException">It is too deep, or too long.</exception>
    public static TemplateText Text(object? value, TemplatePlace at) => value switch
    {
        TemplateText text => text,
        IList or IDictionary => TemplateJson.Of(value, 0, at),
        _ => new TemplateText(Plain(value)),
    };

    /// <summary>A value that is neither a text, nor a list, nor a dictionary, as Python writes it.</summary>
    internal static string Plain(object? value) => value switch
    {
        null => "None",
        bool flag => flag ? "True" : "False",
        long whole => whole.ToString(CultureInfo.InvariantCulture),
        double real => real.ToString("R", CultureInfo.InvariantCulture),
        _ => value == Undefined ? "" : "a function",
    };
}
