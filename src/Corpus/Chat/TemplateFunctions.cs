using System.Collections;
using System.Globalization;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>What templates may call. A name that is not here is refused when the template is read.</summary>
internal static class TemplateFunctions
{
    /// <summary>What a function gets: the value that it is called on, and the arguments.</summary>
    internal delegate object? Function(object? value, IReadOnlyList<object?> given, int line);

    /// <summary>Behind a vertical bar.</summary>
    public static IReadOnlyDictionary<string, Function> Filters { get; } = new Dictionary<string, Function>(StringComparer.Ordinal)
    {
        ["capitalize"] = (value, _, _) => TemplateValues.Text(value).Map(t => t.Length == 0 ? t : char.ToUpperInvariant(t[0])
            + t[1..].ToLowerInvariant()),
        ["count"] = (value, _, line) => Length(value, line),
        ["default"] = Default,
        ["d"] = Default,
        ["first"] = (value, _, line) => Items(value, line) is [var first, ..] ? first : TemplateValues.Undefined,
        ["int"] = (value, _, _) => value is TemplateText text
            ? long.TryParse(text.Text, NumberStyles.Integer, CultureInfo.InvariantCulture, out var whole) ? whole : 0L
            : TemplateValues.IsNumber(value) ? (long)TemplateValues.Number(value) : 0L,
        ["items"] = (value, _, line) => Pairs(value, line),
        ["join"] = (value, given, line) =>
        {
            var between = given.Count > 0 ? TemplateValues.Text(given[0]) : new TemplateText("");
            return TemplateText.Concat([.. Items(value, line).SelectMany(
                (item, i) => i == 0 ? [TemplateValues.Text(item)] : new[] { between, TemplateValues.Text(item) })]);
        },
        ["last"] = (value, _, line) => Items(value, line) is [.., var last] ? last : TemplateValues.Undefined,
        ["length"] = (value, _, line) => Length(value, line),
        ["list"] = (value, _, line) => Items(value, line),
        ["lower"] = (value, _, _) => TemplateValues.Text(value).Map(t => t.ToLowerInvariant()),
        ["replace"] = Replace,
        ["safe"] = (value, _, _) => value,
        ["string"] = (value, _, _) => TemplateValues.Text(value),
        ["tojson"] = (value, given, _) => TemplateValues.ToJson(value, given is [long and > 0 and <= 16 and var by, ..] ? (int)by : 0),
        ["trim"] = (value, given, _) => TemplateValues.Text(value).Trim(true, true, given is [TemplateText only, ..] ? only.Text : null),
        ["upper"] = (value, _, _) => TemplateValues.Text(value).Map(t => t.ToUpperInvariant()),
    };

    /// <summary>Behind "is".</summary>
    public static IReadOnlyDictionary<string, Func<object?, bool>> Tests { get; } =
        new Dictionary<string, Func<object?, bool>>(StringComparer.Ordinal)
        {
            ["boolean"] = value => value is bool,
            ["defined"] = value => value != TemplateValues.Undefined,
            ["even"] = value => value is long whole && whole % 2 == 0,
            ["false"] = value => value is false,
            ["iterable"] = value => value is TemplateText or IList or IDictionary,
            ["mapping"] = value => value is IDictionary,
            ["none"] = value => value is null,
            ["number"] = TemplateValues.IsNumber,
            ["odd"] = value => value is long whole && whole % 2 != 0,
            ["sequence"] = value => value is TemplateText or IList or IDictionary,
            ["string"] = value => value is TemplateText,
            ["true"] = value => value is true,
            ["undefined"] = value => value == TemplateValues.Undefined,
        };

    /// <summary>Behind a dot, on texts and dictionaries.</summary>
    public static IReadOnlyDictionary<string, Function> Methods { get; } = new Dictionary<string, Function>(StringComparer.Ordinal)
    {
        ["endswith"] = (value, given, line) =>
            Receiver(value, "endswith", line).Text.EndsWith(Argument(given, "endswith", line).Text, StringComparison.Ordinal),
        ["get"] = (value, given, line) => given is [TemplateText key, ..] && Map(value, line).TryGetValue(key.Text, out var found)
            ? found : given.Count > 1 ? given[1] : null,
        ["items"] = (value, _, line) => Pairs(value, line),
        ["keys"] = (value, _, line) => Map(value, line).Keys.Select(k => (object?)new TemplateText(k)).ToList(),
        ["lower"] = (value, _, line) => Receiver(value, "lower", line).Map(t => t.ToLowerInvariant()),
        ["lstrip"] = (value, given, line) => Strip(value, given, line, true, false),
        ["replace"] = Replace,
        ["rstrip"] = (value, given, line) => Strip(value, given, line, false, true),
        ["split"] = Split,
        ["startswith"] = (value, given, line) =>
            Receiver(value, "startswith", line).Text.StartsWith(Argument(given, "startswith", line).Text, StringComparison.Ordinal),
        ["strip"] = (value, given, line) => Strip(value, given, line, true, true),
        ["upper"] = (value, _, line) => Receiver(value, "upper", line).Map(t => t.ToUpperInvariant()),
        ["values"] = (value, _, line) => Map(value, line).Values.ToList(),
    };

    /// <summary>By their names alone.</summary>
    public static IReadOnlyDictionary<string, Function> Globals { get; } = new Dictionary<string, Function>(StringComparer.Ordinal)
    {
        ["raise_exception"] = (_, given, _) => throw new FormatException(
            $"the chat template refuses the messages: {OneLine.Of(given.Count > 0 ? TemplateValues.Text(given[0]).Text : "", 300)}"),
        ["range"] = (_, given, line) => Range(given, line),
    };

    /// <summary>The items of a list, the keys of a dictionary, the characters of a text; none of what is not there.</summary>
    public static List<object?> Items(object? value, int line) => value switch
    {
        List<object?> list => list,
        Dictionary<string, object?> map => [.. map.Keys.Select(k => new TemplateText(k))],
        TemplateText { Text.Length: <= TemplateRun.MostItems } text =>
            [.. Enumerable.Range(0, text.Text.Length).Select(i => text.Slice(i, 1))],
        _ when value == TemplateValues.Undefined => [],
        _ => throw TemplateRun.Refusal(line, $"goes through {TemplateArithmetic.Shown(value)}, which is no list"),
    };

    private static long Length(object? value, int line) =>
        value is TemplateText text ? text.Text.Length : Items(value, line).Count;

    private static object? Default(object? value, IReadOnlyList<object?> given, int line) =>
        value == TemplateValues.Undefined || (given is [_, true, ..] && !TemplateValues.IsTrue(value))
            ? given.Count > 0 ? given[0] : new TemplateText("") : value;

    private static TemplateText Replace(object? value, IReadOnlyList<object?> given, int line)
    {
        if (given is not [TemplateText { Text.Length: > 0 } old, TemplateText by])
            throw TemplateRun.Refusal(line, "calls replace: use it with two texts, the first one not empty");
        var parts = TemplateValues.Text(value).Split(old.Text);
        return TemplateText.Concat([.. parts.SelectMany((part, i) => i == 0 ? [part] : new[] { by, part })]);
    }

    private static List<object?> Split(object? value, IReadOnlyList<object?> given, int line) =>
        given is [TemplateText { Text.Length: > 0 } at] ? Receiver(value, "split", line).Split(at.Text).ConvertAll(t => (object?)t)
            : throw TemplateRun.Refusal(line, "calls split: use it with one text that is not empty");

    private static TemplateText Strip(object? value, IReadOnlyList<object?> given, int line, bool atStart, bool atEnd) =>
        Receiver(value, "strip", line).Trim(atStart, atEnd, given is [TemplateText only, ..] ? only.Text : null);

    private static List<object?> Range(IReadOnlyList<object?> given, int line)
    {
        if (given.Count is < 1 or > 3 || given.Any(g => g is not long) || given is [_, _, 0L])
            throw TemplateRun.Refusal(line, "calls range: use it with one to three whole numbers");
        var (from, to) = given.Count == 1 ? (0, (long)given[0]!) : ((long)given[0]!, (long)given[1]!);
        var by = given.Count < 3 ? 1 : (long)given[2]!;
        var items = new List<object?>();
        for (var i = from; by > 0 ? i < to : i > to; i += by)
            if (items.Count < TemplateRun.MostItems)
                items.Add(i);
            else
                throw TemplateRun.Refusal(line, $"calls range for more than {TemplateRun.MostItems} numbers");
        return items;
    }

    private static List<object?> Pairs(object? value, int line) =>
        [.. Map(value, line).Select(p => (object?)new List<object?> { new TemplateText(p.Key), p.Value })];

    private static Dictionary<string, object?> Map(object? value, int line) => value as Dictionary<string, object?>
        ?? throw TemplateRun.Refusal(line, $"asks {TemplateValues.Text(value)} for its keys, which is no dictionary");

    private static TemplateText Receiver(object? value, string name, int line) => value as TemplateText
        ?? throw TemplateRun.Refusal(line, $"calls {name} on {TemplateArithmetic.Shown(value)}, which is no text");

    private static TemplateText Argument(IReadOnlyList<object?> given, string name, int line) => given is [TemplateText text, ..]
        ? text : throw TemplateRun.Refusal(line, $"calls {name} without a text");
}
