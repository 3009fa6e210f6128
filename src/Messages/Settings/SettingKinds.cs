using System.Globalization;
using System.Text.Json.Nodes;

namespace Elastic.Messages.Settings;

/// <summary>Two numbers that are set together, e.g. [0.9, 0.95].</summary>
public readonly record struct NumberPair(double First, double Second);

/// <summary>
/// The kinds of settings that there are. A new one is a line or a class here, and a line in <see cref="SettingKind.Of"/>.
/// </summary>
internal static class SettingKinds
{
    public static readonly SettingKind Text = new TextKind();

    public static readonly SettingKind Whole = new Scalar<int>(
        "a whole number",
        (string text, out int value) => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value),
        n => n.ToString(CultureInfo.InvariantCulture));

    public static readonly SettingKind Natural = new Scalar<ulong>(
        $"a whole number from 0 to {ulong.MaxValue}",
        (string text, out ulong value) => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value),
        n => n.ToString(CultureInfo.InvariantCulture));

    public static readonly SettingKind Number = new Scalar<double>("a number", TryNumber, SettingKind.Show);

    public static readonly SettingKind Switch = new Scalar<bool>(
        "true or false", (string text, out bool value) => bool.TryParse(text, out value), value => value ? "true" : "false");

    public static readonly SettingKind Pair = new PairKind();

    public static readonly SettingKind Texts = new TextsKind();

    public static SettingKind ChoiceOf(Type enumeration) => new ChoiceKind(enumeration);

    private static bool TryNumber(string text, out double number) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number) && double.IsFinite(number);

    private delegate bool TryParse<T>(string text, out T value);

    private sealed class Scalar<T>(string name, TryParse<T> tryParse, Func<T, string> show) : SettingKind where T : struct
    {
        public override string Name => name;

        public override object? Parse(IReadOnlyList<string> items, bool isList) =>
            !isList && tryParse(items[0], out var value) ? value : null;

        public override IReadOnlyList<string> Items(object value) => [show((T)value)];

        public override JsonNode ToJson(object value) => JsonValue.Create((T)value)!;

        public override object? FromJson(JsonNode node) => node is JsonValue json && json.TryGetValue<T>(out var value) ? value : null;

        public override object? FromAttribute(object value) => value as T?;
    }

    private sealed class TextKind : SettingKind
    {
        public override string Name => "a text";

        public override object? Parse(IReadOnlyList<string> items, bool isList) => isList ? null : items[0];

        public override IReadOnlyList<string> Items(object value) => [(string)value];

        public override string Quote(object value) => $"\"{value}\"";

        public override JsonNode ToJson(object value) => JsonValue.Create((string)value);

        public override object? FromJson(JsonNode node) => node is JsonValue json && json.TryGetValue<string>(out var value) ? value : null;

        public override object? FromAttribute(object value) => value as string;
    }

    private sealed class PairKind : SettingKind
    {
        public override string Name => "two numbers";

        public override string Expectation => "a list of two numbers, e.g. [0.9, 0.95]";

        public override bool IsList => true;

        public override object? Parse(IReadOnlyList<string> items, bool isList) =>
            items is [var a, var b] && TryNumber(a, out var first) && TryNumber(b, out var second) ? new NumberPair(first, second) : null;

        public override IReadOnlyList<string> Items(object value) => [Show(((NumberPair)value).First), Show(((NumberPair)value).Second)];

        public override JsonNode ToJson(object value) => new JsonArray(((NumberPair)value).First, ((NumberPair)value).Second);

        public override object? FromJson(JsonNode node) =>
            node is JsonArray { Count: 2 } list && Number.FromJson(list[0]!) is double first && Number.FromJson(list[1]!) is double second
                ? new NumberPair(first, second) : null;

        public override object? FromAttribute(object value) =>
            value is double[] and [var first, var second] ? new NumberPair(first, second) : null;
    }

    /// <summary>A single text counts as a list of one.</summary>
    private sealed class TextsKind : SettingKind
    {
        public override string Name => "a list of texts";

        public override bool IsList => true;

        public override object? Parse(IReadOnlyList<string> items, bool isList) => items;

        public override IReadOnlyList<string> Items(object value) => (IReadOnlyList<string>)value;

        public override JsonNode ToJson(object value) => new JsonArray([.. Items(value).Select(s => (JsonNode)s)]);

        public override object? FromJson(JsonNode node)
        {
            if (node is not JsonArray list)
                return null;
            var texts = list.Select(n => n is null ? null : Text.FromJson(n) as string).OfType<string>().ToArray();
            return texts.Length == list.Count ? texts : null;
        }

        public override object? FromAttribute(object value) => value as string[];
    }

    /// <summary>
    /// One of the names of an enumeration, whatever its case: "InverseSquareRoot" is written inverse-square-root. Stored by name: the
    /// numbers may move, the names may not.
    /// </summary>
    private sealed class ChoiceKind(Type type) : SettingKind
    {
        private readonly Dictionary<string, object> _values =
            Enum.GetValues(type).Cast<object>().ToDictionary(value => Word((Enum)value), StringComparer.OrdinalIgnoreCase);

        public override string Name => string.Join(" or ", _values.Keys);

        public override object? Parse(IReadOnlyList<string> items, bool isList) => isList ? null : _values.GetValueOrDefault(items[0]);

        public override IReadOnlyList<string> Items(object value) => [Word((Enum)value)];

        public override JsonNode ToJson(object value) => JsonValue.Create(Items(value)[0]);

        public override object? FromJson(JsonNode node) => Text.FromJson(node) is string name ? Parse([name], isList: false) : null;

        public override object? FromAttribute(object value) => value.GetType() == type ? value : null;
    }
}
