using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Foundation;

namespace Elastic.Messages.Settings;

/// <summary>Marks a setting that is part of the answer and may change in mid-run, from a round on that has not begun.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class MayChangeAttribute : Attribute;

/// <summary>
/// The canonical text of the settings that change in mid-run: one flat JSON object of their keys, and of no others, in the order of
/// declaration, e.g. {"optimizer.learning-rate":0.001}. The journal stores it for good, as it does <see cref="SettingsText"/>.
/// </summary>
public static class PartialSettings
{
    /// <summary>The longest text: orders carry it, and a message of the control plane holds 64 Ki characters.</summary>
    public const int MostCharacters = 4 << 10;

    /// <summary>The keys that may change, in the order of declaration.</summary>
    public static IReadOnlyList<Setting> MayChange { get; } =
        [.. SettingsRecord.Of(typeof(TrainingSettings)).Settings.Where(s => s.Has<MayChangeAttribute>())];

    /// <summary>The text of the keys that have other values in <paramref name="new"/>.</summary>
    public static string Between(TrainingSettings old, TrainingSettings @new) => Write(
        SettingsRecord.ValuesOf(old).Zip(SettingsRecord.ValuesOf(@new))
            .Where(v => Node(v.First)?.ToJsonString() != Node(v.Second)?.ToJsonString()).Select(v => v.Second));

    /// <summary>The settings with the values of the text.</summary>
    /// <exception cref="ElasticException">It is no such text, or it has a key or a value that cannot be used.</exception>
    public static TrainingSettings Apply(TrainingSettings settings, string text)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var given = Read(text).ToDictionary(v => v.Setting.Key, v => v.Value, StringComparer.Ordinal);
        if (given.Count == 0)
            return settings;
        var old = SettingsRecord.ValuesOf(settings).ToDictionary(v => v.Setting.Key, v => v.Value, StringComparer.Ordinal);
        return SettingsRecord.Make<TrainingSettings>(s => given.TryGetValue(s.Key, out var value) ? value : old[s.Key]);
    }

    /// <summary>One text that says what both say; where they differ, what the second says.</summary>
    /// <inheritdoc cref="Apply"/>
    public static string Merge(string first, string second)
    {
        var values = Read(first).ToDictionary(v => v.Setting.Key, StringComparer.Ordinal);
        foreach (var value in Read(second))
            values[value.Setting.Key] = value;
        return Write(SettingsRecord.Of(typeof(TrainingSettings)).Settings.Where(s => values.ContainsKey(s.Key)).Select(s => values[s.Key]));
    }

    /// <summary>The keys of the text with their values, in its order; none of an empty text.</summary>
    /// <inheritdoc cref="Apply"/>
    public static IReadOnlyList<(Setting Setting, object? Value)> Read(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length == 0)
            return [];
        if (text.Length > MostCharacters)
            throw new ElasticException($"the settings that change have {text.Length} characters: use at most {MostCharacters}");
        try
        {
            return JsonNode.Parse(text, documentOptions: new() { AllowDuplicateProperties = false }) is JsonObject json
                ? [.. json.Select(p => Value(p.Key, p.Value))]
                : throw new ElasticException("the settings that change are not a JSON object");
        }
        catch (JsonException e)
        {
            throw new ElasticException($"the settings that change cannot be read: {e.Message}", e);
        }
    }

    private static (Setting Setting, object? Value) Value(string key, JsonNode? node)
    {
        var setting = SettingsRecord.Of(typeof(TrainingSettings)).Settings.FirstOrDefault(s => s.Key == key)
            ?? throw new ElasticException($"the settings that change hold {OneLine.Of(key, 100)}, which this version of Elastic does not "
                + "know: use the version that knows it");
        if (node is null && setting.IsOptional)
            return (setting, null);
        return (setting, node is null ? null : setting.Kind.FromJson(node)) is { Item2: { } value }
            ? (setting, value)
            : throw new ElasticException($"the settings that change hold no usable {key}");
    }

    private static string Write(IEnumerable<(Setting Setting, object? Value)> values)
    {
        var json = new JsonObject();
        foreach (var value in values)
            json[value.Setting.Key] = Node(value);
        return json.Count == 0 ? "" : Encoding.UTF8.GetString(JsonSerializer.SerializeToUtf8Bytes(json));
    }

    private static JsonNode? Node((Setting Setting, object? Value) v) => v.Value is null ? null : v.Setting.Kind.ToJson(v.Value);
}
