using System.Collections;
using System.Globalization;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>What templates may call. A name that is not here is refused when the template is read.</summary>
internal static class TemplateFunctions
{
    /// <summary>What a function gets: the value that it is called on, and the arguments.</summary>
    internal delegate object? Function(object? value, IReadOnlyList<object?> given, TemplatePlace at);

    /// <summary>Behind a vertical bar.</summary>
    public static IReadOnlyDictionary<string, Function> Filters { get; } = new Dictionary<string, Function>(StringComparer.Ordinal)
    {
        ["capitalize"] = (value, _, at) => TemplateValues.Text(value, at).Map(t => t.Length == 0 ? t : char.ToUpperInvariant(t[0])
            + t[1..].ToLowerInvariant()),
        ["count"] = (value, _, at) => Length(value, at),
        ["default"] = Default,
        ["d"] = Default,
        ["first"] = (value, _, at) => Items(value, at) is [var first, ..] ? first : TemplateValues.Undefined,
        ["int"] = (value, _, _) => value is TemplateText text
            ? long.TryParse(text.Text, NumberStyles.Integer, CultureInfo.InvariantCulture, out var whole) ? whole : 0L
            : TemplateValues.IsNumber(value) ? (long)TemplateValues.Number(value) : 0L,
        ["items"] = (value, _, at) => Pairs(value, at),
        ["join"] = (value, given, at) =>
        {
            var between = given.Count > 0 ? TemplateValues.Text(given[0], at) : new TemplateText("");
            return TemplateText.Concat([.. Items(value, at).SelectMany(
                (item, i) => i == 0 ? [TemplateValues.Text(item, at)] : new[] { between, TemplateValues.Text(item, at) })]);
        },
        ["last"] = (value, _, at) => Items(value, at) is [.., var last] ? last : TemplateValues.Undefined,
        ["length"] = (value, _, at) => Length(value, at),
        ["list"] = (value, _, at) => Items(value, at),
        ["lower"] = (value, _, at) => TemplateValues.Text(value, at).Map(t => t.ToLowerInvariant()),
        ["replace"] = Replace,
        ["safe"] = (value, _, _) => value,
        ["string"] = (value, _, at) => TemplateValues.Text(value, at),
        ["tojson"] = (value, given, at) => TemplateJson.Of(
            value, given is [long and > 0 and <= 16 and var by, ..] ? (int)by : 0, at),
        ["trim"] = (value, given, at) => TemplateValues.Text(value, at)
            .Trim(true, true, given is [TemplateText only, ..] ? only.Text : null),
        ["upper"] = (value, _, at) => TemplateValues.Text(value, at).Map(t => t.ToUpperInvariant()),
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
        ["endswith"] = (value, given, at) =>
            Receiver(value, "endswith", at).Text.EndsWith(Argument(given, "endswith", at).Text, StringComparison.Ordinal),
        ["get"] = (value, given, at) => given is [TemplateText key, ..] && Map(value, at).TryGetValue(key.Text, out var found)
            ? found : given.Count > 1 ? given[1] : null,
        ["items"] = (value, _, at) => Pairs(value, at),
        ["keys"] = (value, _, at) => Map(value, at).Keys.Select(k => (object?)new TemplateText(k)).ToList(),
        ["lower"] = (value, _, at) => Receiver(value, "lower", at).Map(t => t.ToLowerInvariant()),
        ["lstrip"] = (value, given, at) => Strip(value, given, at, true, false),
        ["replace"] = Replace,
        ["rstrip"] = (value, given, at) => Strip(value, given, at, false, true),
        ["split"] = Split,
        ["startswith"] = (value, given, at) =>
            Receiver(value, "startswith", at).Text.StartsWith(Argument(given, "startswith", at).Text, StringComparison.Ordinal),
        ["strip"] = (value, given, at) => Strip(value, given, at, true, true),
        ["upper"] = (value, _, at) => Receiver(value, "upper", at).Map(t => t.ToUpperInvariant()),
        ["values"] = (value, _, at) => Map(value, at).Values.ToList(),
    };

    /// <summary>By their names alone.</summary>
    public static IReadOnlyDictionary<string, Function> Globals { get; } = new Dictionary<string, Function>(StringComparer.Ordinal)
    {
        ["raise_exception"] = (_, given, at) => throw new FormatException(
            $"the chat template refuses the messages: {OneLine.Of(given.Count > 0 ? TemplateValues.Text(given[0], at).Text : "", 300)}"),
        ["range"] = (_, given, at) => Range(given, at),
    };

    /// <summary>The items of a list, the keys of a dictionary, the characters of a text; none of what is not there.</summary>
    public static List<object?> Items(object? value, TemplatePlace at) => value switch
    {
        List<object?> list => list,
        Dictionary<string, object?> map => [.. map.Keys.Select(k => new TemplateText(k))],
        TemplateText { Text.Length: <= TemplateRun.MostItems } text =>
            [.. Enumerable.Range(0, text.Text.Length).Select(i => text.Slice(i, 1))],
        _ when value == TemplateValues.Undefined => [],
        _ => throw at.Refusal($"goes through {TemplateArithmetic.Shown(value, at)}, which is no list"),
    };

    private static long Length(object? value, TemplatePlace at) =>
        value is TemplateText text ? text.Text.Length : Items(value, at).Count;

    private static object? Default(object? value, IReadOnlyList<object?> given, TemplatePlace at) =>
        value == TemplateValues.Undefined || (given is [_, true, ..] && !TemplateValues.IsTrue(value))
            ? given.Count > 0 ? given[0] : new TemplateText("") : value;

    private static TemplateText Replace(object? value, IReadOnlyList<object?> given, TemplatePlace at)
    {
        if (given is not [TemplateText { Text.Length: > 0 } old, TemplateText by])
            throw at.Refusal("calls replace: use it with two texts, the first one not empty");
        var parts = TemplateValues.Text(value, at).Split(old.Text);
        return TemplateText.Concat([.. parts.SelectMany((part, i) => i == 0 ? [part] : new[] { by, part })]);
    }

    private static List<object?> Split(object? value, IReadOnlyList<object?> given, TemplatePlace at) =>
        given is [TemplateText { Text.Length: > 0 } mark] ? Receiver(value, "split", at).Split(mark.Text).ConvertAll(t => (object?)t)
            : throw at.Refusal("calls split: use it with one text that is not empty");

    private static TemplateText Strip(object? value, IReadOnlyList<object?> given, TemplatePlace at, bool atStart, bool atEnd) =>
        Receiver(value, "strip", at).Trim(atStart, atEnd, given is [TemplateText only, ..] ? only.Text : null);

    private static List<object?> Range(IReadOnlyList<object?> given, TemplatePlace at)
    {
        if (given.Count is < 1 or > 3 || given.Any(g => g is not long) || given is [_, _, 0L])
            throw at.Refusal("calls range: use it with one to three whole numbers");
        var (from, to) = given.Count == 1 ? (0, (long)given[0]!) : ((long)given[0]!, (long)given[1]!);
        var by = given.Count < 3 ? 1 : (long)given[2]!;
        var items = new List<object?>();
        for (var i = from; by > 0 ? i < to : i > to; i += by)
            if (items.Count < TemplateRun.MostItems)
                items.Add(i);
            else
                throw at.Refusal($"calls range for more than {TemplateRun.MostItems} numbers");
        return items;
    }

    private static List<object?> Pairs(object? value, TemplatePlace at) =>
        [.. Map(value, at).Select(p => (object?)new List<object?> { new TemplateText(p.Key), p.Value })];

    private static Dictionary<string, object?> Map(object? value, TemplatePlace at) => value as Dictionary<string, object?>
        ?? throw at.Refusal($"asks {TemplateValues.Text(value, at)} for its keys, which is no dictionary");

    private static TemplateText Receiver(object? value, string name, TemplatePlace at) => value as TemplateText
        ?? throw at.Refusal($"calls {name} on {TemplateArithmetic.Shown(value, at)}, which is no text");

    private static TemplateText Argument(IReadOnlyList<object?> given, string name, TemplatePlace at) => given is [TemplateText text, ..]
        ? text : throw at.Refusal($"calls {name} without a text");
}
