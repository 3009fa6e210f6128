using System.Globalization;

namespace Elastic.Host.Configuration;

/// <summary>Gives typed values of merged keys, and gathers what does not fit instead of stopping at the first.</summary>
internal sealed class SettingsReader(IReadOnlyDictionary<string, ConfigurationValue> values)
{
    private readonly List<string> _problems = [];

    /// <summary>Values of the wrong type, one sentence each: key, value, place and what is expected.</summary>
    public IReadOnlyList<string> Problems => _problems;

    public string Text(string key) => OptionalText(key) ?? Missing(key, "");

    public string? OptionalText(string key) => Read<string?>(key, "a text", (string s, out string? t) => (t = s) is not null);

    public int Whole(string key) => OptionalWhole(key) ?? Missing(key, 1);

    public int? OptionalWhole(string key) => Read<int?>(key, "a whole number", (string s, out int? n) =>
    {
        var fits = int.TryParse(s, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number);
        n = number;
        return fits;
    });

    public ulong Natural(string key) => Read<ulong?>(key, $"a whole number from 0 to {ulong.MaxValue}", (string s, out ulong? n) =>
    {
        var fits = ulong.TryParse(s, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        n = number;
        return fits;
    }) ?? Missing(key, 0UL);

    public double Number(string key) => Read<double?>(key, "a number", (string s, out double? n) =>
    {
        var fits = TryNumber(s, out var number);
        n = number;
        return fits;
    }) ?? Missing(key, 0.0);

    /// <summary>A list of exactly two numbers, e.g. <c>[0.9, 0.95]</c>.</summary>
    public (double First, double Second) Pair(string key)
    {
        if (!values.TryGetValue(key, out var value))
            return Missing(key, (0.0, 0.0));
        if (value.Items is [var a, var b] && TryNumber(a, out var first) && TryNumber(b, out var second))
            return (first, second);
        Expected(value, "a list of two numbers, e.g. [0.9, 0.95]");
        return (0, 0);
    }

    /// <summary>A list of texts; a single text counts as a list of one.</summary>
    public IReadOnlyList<string> Texts(string key) => values.TryGetValue(key, out var value) ? value.Items : Missing(key, Array.Empty<string>());

    /// <summary>One of the names of an enumeration, whatever its case.</summary>
    public T Choice<T>(string key) where T : struct, Enum =>
        Read<T?>(key, string.Join(" or ", Enum.GetNames<T>().Select(n => n.ToLowerInvariant())), (string s, out T? choice) =>
        {
            var fits = Enum.GetNames<T>().Contains(s, StringComparer.OrdinalIgnoreCase);
            choice = fits ? Enum.Parse<T>(s, ignoreCase: true) : null;
            return fits;
        }) ?? Missing(key, default(T));

    private delegate bool TryRead<T>(string text, out T value);

    private T? Read<T>(string key, string expectation, TryRead<T> tryRead)
    {
        if (!values.TryGetValue(key, out var value))
            return default;
        if (!value.IsList && tryRead(value.Items[0], out var read))
            return read;
        Expected(value, expectation);
        return default;
    }

    private static bool TryNumber(string text, out double number) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number) && double.IsFinite(number);

    private void Expected(ConfigurationValue value, string expectation) =>
        _problems.Add($"{value.Key} = {value.Text} ({value.Where}): expected {expectation}");

    // Where a value was there and wrong, that is the problem to tell; "missing" would be a second one about the same thing.
    private T Missing<T>(string key, T standIn)
    {
        if (!values.ContainsKey(key))
            _problems.Add($"{key} is not set: give it a value (reference.conf holds the default of every key)");
        return standIn;
    }
}
