using Akka.Configuration.Hocon;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Host.Configuration;

/// <summary>One source of settings, flattened to full keys: the defaults, a preset, a file, one <c>--set</c>.</summary>
internal sealed class ConfigurationLayer
{
    private readonly string _origin;
    private readonly KeyLines _keys;
    private readonly SettingsSchema _schema;
    private readonly List<SettingText> _values = [];
    private readonly List<string> _problems = [];

    private ConfigurationLayer(string origin, KeyLines keys, SettingsSchema? schema = null) =>
        (_origin, _keys, _schema) = (origin, keys, schema ?? SettingsSchema.All);

    public IReadOnlyList<SettingText> Values => _values;

    /// <summary>Says nothing.</summary>
    public static ConfigurationLayer None { get; } = new("", KeyLines.None);

    /// <summary>Unknown keys, and values where a block belongs or blocks where a value belongs; one sentence each.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>The layer below all others.</summary>
    public static ConfigurationLayer Defaults(SettingsSchema? schema = null)
    {
        var layer = new ConfigurationLayer("default", KeyLines.None, schema);
        layer._values.AddRange(layer._schema.Defaults);
        return layer;
    }

    /// <summary>The default of one key that a command has instead of the setting's own.</summary>
    public static ConfigurationLayer Default(string key, string value)
    {
        var layer = Of("default", key, [value], isList: false);
        layer._values[0] = layer._values[0] with { IsDefault = true, IsBuiltIn = true };
        return layer;
    }

    /// <summary>A configuration of Elastic's own.</summary>
    public static ConfigurationLayer Preset(string name)
    {
        var layer = Parse($"preset {name}", Presets.Read(name));
        for (var i = 0; i < layer._values.Count; i++)
            layer._values[i] = layer._values[i] with { IsBuiltIn = true };
        return layer;
    }

    /// <summary>Reads a HOCON text.</summary>
    /// <param name="origin">The name of the text in messages.</param>
    /// <param name="schema">The settings that the text may hold; null for all of Elastic's.</param>
    public static ConfigurationLayer Parse(string origin, string text, SettingsSchema? schema = null)
    {
        HoconText.Check(text, origin);                                 // before the scan for lines, which is recursive, too
        var layer = new ConfigurationLayer(origin, KeyLines.Find(text), schema);
        if (layer._keys.Mismatch is { } mismatch)
            throw new SettingsException($"{origin}: {mismatch}");
        layer.Flatten("", HoconText.Parse(text, origin));
        return layer;
    }

    /// <summary>Reads one <c>key=value</c> of the command line.</summary>
    /// <param name="option">What the person has typed it, or its key, behind.</param>
    public static ConfigurationLayer ParseSet(string assignment, string option = "--set")
    {
        var equals = assignment.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
            throw new SettingsException($"{option} {assignment}: write {option} key=value, e.g. {option} optimizer.learning-rate=1e-3");
        var (key, value) = (assignment[..equals].Trim(), assignment[(equals + 1)..].Trim());
        // HOCON takes no '=' without quotes, and weights of sources are written with one.
        if (value is ['[', .. var items, ']'] && items.Contains('=', StringComparison.Ordinal)
            && !items.Contains('"', StringComparison.Ordinal))
            return Of(option, key, items.Split(',', StringSplitOptions.TrimEntries), isList: true);
        // Reads a value as HOCON only where it begins like HOCON: a path may hold ':' and '#' without quotes.
        return value is ['[', ..] or ['"', ..] or ['{', ..]
            ? Parse(option, $"{key} = {value}") : Of(option, key, [value], isList: false);
    }

    /// <summary>The layer of an option that stands for a key, e.g. <c>--run</c> for <c>run.name</c>.</summary>
    public static ConfigurationLayer Of(string origin, string key, IReadOnlyList<string> items, bool isList)
    {
        var layer = new ConfigurationLayer(origin, KeyLines.None);
        layer.Add(key, new SettingText(key, items, isList, origin));
        return layer;
    }

    /// <summary>The layer of values that something else than a text decides; each says where it stands.</summary>
    public static ConfigurationLayer Of(string origin, IEnumerable<SettingText> values)
    {
        var layer = new ConfigurationLayer(origin, KeyLines.None);
        layer._values.AddRange(values);
        return layer;
    }

    /// <summary>The settings of a run that exists: what nobody gives anew stays as it is.</summary>
    public static ConfigurationLayer OfRun(RememberedRun run)
    {
        var layer = new ConfigurationLayer($"run {run.Id.Name}", KeyLines.None);
        layer._values.AddRange(SettingsRecord.ValuesOf(run.Settings).Where(v => v.Value is not null).Select(v => new SettingText(
            v.Setting.Key, v.Setting.Kind.Items(v.Value!), v.Setting.Kind.IsList, layer._origin)));
        return layer;
    }

    /// <summary>The layer with other values.</summary>
    public ConfigurationLayer With(Func<SettingText, SettingText> change)
    {
        var layer = new ConfigurationLayer(_origin, _keys, _schema);
        layer._values.AddRange(_values.Select(change));
        layer._problems.AddRange(_problems);
        return layer;
    }

    private void Flatten(string prefix, HoconObject block)
    {
        foreach (var (name, value) in block.Items)
        {
            var key = prefix.Length == 0 ? name : $"{prefix}.{name}";
            if (value.IsObject() && _schema.Find(key) is null && _schema.IsBlock(key))
                Flatten(key, value.GetObject());
            else if (value.IsObject())
                _problems.Add(_schema.Find(key) is not null ? $"{key} ({Where(key)}): it is a value, not a block" : Unknown(key));
            else if (value.Values.Any(v => v is HoconArray))        // IsArray() is false for []
                Add(key, new SettingText(key, [.. value.GetArray().Select(v => v.GetString())], IsList: true, Where(key)));
            else
                Add(key, new SettingText(key, [value.GetString() ?? SettingText.Null], IsList: false, Where(key)));
        }
    }

    private void Add(string key, SettingText value)
    {
        if (_schema.Find(key) is not null)
            _values.Add(value);
        else if (_schema.IsBlock(key))
            _problems.Add($"{key} ({Where(key)}): it is a block of keys; set one of them, e.g. {FirstOf(key)}");
        else
            _problems.Add(Unknown(key));
    }

    private string Unknown(string key) => $"unknown key {key} ({Where(key)}): " + (_schema.Nearest(key) is { } nearest
        ? $"did you mean {nearest}?" : "elastic config shows all keys");

    private string FirstOf(string block) =>
        _schema.Settings.First(s => s.Key.StartsWith(block + ".", StringComparison.Ordinal)).Key;

    // An option has no lines.
    private string Where(string key) =>
        _keys.Lines.TryGetValue(key, out var line) && !_origin.StartsWith('-') ? $"{_origin}, line {line}" : _origin;
}
