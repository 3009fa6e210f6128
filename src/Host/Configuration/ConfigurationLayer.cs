using Akka.Configuration.Hocon;

namespace Elastic.Host.Configuration;

/// <summary>What one source says about one key.</summary>
/// <param name="Items">One text for a plain value, all elements for a list.</param>
/// <param name="IsList">Whether it was written as a list.</param>
/// <param name="Where">For people: "mine.conf, line 3", "--set".</param>
internal sealed record ConfigurationValue(string Key, IReadOnlyList<string> Items, bool IsList, string Where)
{
    /// <summary>As it was written, for messages.</summary>
    public string Text => IsList ? $"[{string.Join(", ", Items)}]" : Items[0];

    /// <summary><c>key = null</c> takes the value of an earlier layer away.</summary>
    public bool IsNull => !IsList && Items[0] == ConfigurationLayer.Null;
}

/// <summary>One source of settings, flattened to whole keys: reference.conf, a preset, a file, one <c>--set</c>.</summary>
internal sealed class ConfigurationLayer
{
    /// <summary>The value that is none; the parser gives it as a null text.</summary>
    public const string Null = "null";

    private readonly string _origin;
    private readonly KeyLines _keys;
    private readonly List<ConfigurationValue> _values = [];
    private readonly List<string> _problems = [];

    private ConfigurationLayer(string origin, KeyLines keys) => (_origin, _keys) = (origin, keys);

    public IReadOnlyList<ConfigurationValue> Values => _values;

    /// <summary>Unknown keys and blocks that are not blocks, one sentence each.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>Reads a HOCON text; <paramref name="origin"/> is how messages call it.</summary>
    public static ConfigurationLayer Parse(string origin, string text)
    {
        var layer = new ConfigurationLayer(origin, KeyLines.Find(text));
        if (layer._keys.Mismatch is { } mismatch)
            throw new SettingsException($"{origin}: {mismatch}");
        layer.Flatten("", HoconText.Parse(text, origin));
        return layer;
    }

    /// <summary>Reads one <c>key=value</c> of the command line.</summary>
    public static ConfigurationLayer ParseSet(string assignment)
    {
        var equals = assignment.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
            throw new SettingsException($"--set {assignment}: write --set key=value, e.g. --set optimizer.learning-rate=1e-3");
        var (key, value) = (assignment[..equals].Trim(), assignment[(equals + 1)..].Trim());
        // Only what is meant as HOCON is read as HOCON: a path may hold ':' and '#' without quotes.
        return value is ['[', ..] or ['"', ..] or ['{', ..]
            ? Parse("--set", $"{key} = {value}") : Of("--set", key, [value], isList: false);
    }

    /// <summary>The layer of an option that stands for a key, e.g. <c>--run</c> for <c>run.name</c>.</summary>
    public static ConfigurationLayer Of(string origin, string key, IReadOnlyList<string> items, bool isList)
    {
        var layer = new ConfigurationLayer(origin, KeyLines.None);
        layer.Add(key, new ConfigurationValue(key, items, isList, origin));
        return layer;
    }

    private void Flatten(string prefix, HoconObject block)
    {
        foreach (var (name, value) in block.Items)
        {
            var key = prefix.Length == 0 ? name : $"{prefix}.{name}";
            if (value.IsObject() && !ConfigurationKeys.IsKnown(key) && ConfigurationKeys.IsBlock(key))
                Flatten(key, value.GetObject());
            else if (value.IsObject())
                _problems.Add(ConfigurationKeys.IsKnown(key) ? $"{key} ({Where(key)}): it is a value, not a block" : Unknown(key));
            else if (value.Values.Any(v => v is HoconArray))        // IsArray() is false for []
                Add(key, new ConfigurationValue(key, [.. value.GetArray().Select(v => v.GetString())], IsList: true, Where(key)));
            else
                Add(key, new ConfigurationValue(key, [value.GetString() ?? Null], IsList: false, Where(key)));
        }
    }

    private void Add(string key, ConfigurationValue value)
    {
        if (ConfigurationKeys.IsKnown(key))
            _values.Add(value);
        else if (ConfigurationKeys.IsBlock(key))
            _problems.Add($"{key} ({Where(key)}): it is a block of keys; set one of them, e.g. {ConfigurationKeys.Nearest(key + ".")}");
        else
            _problems.Add(Unknown(key));
    }

    private string Unknown(string key) => $"unknown key {key} ({Where(key)}): did you mean {ConfigurationKeys.Nearest(key)}?";

    private string Where(string key) => _keys.Lines.TryGetValue(key, out var line) && _origin != "--set" ? $"{_origin}, line {line}" : _origin;
}
