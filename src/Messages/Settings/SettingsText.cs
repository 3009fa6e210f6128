using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Foundation;

namespace Elastic.Messages.Settings;

/// <summary>
/// The canonical text of settings: one flat JSON object of its version and the configuration's own keys, in the order of declaration. Equal
/// settings give equal bytes. The journal stores it for good: keys are added, never renamed or used again, and an added key says which
/// value older texts stand for (<see cref="SinceAttribute"/>).
/// </summary>
public static class SettingsText
{
    private const string VersionKey = "settings";

    /// <summary>The version of texts that name none.</summary>
    private const int FirstVersion = 1;

    /// <summary>The text, e.g. {"settings":2,"run.name":"tiny","run.seed":42,…}.</summary>
    public static string Write<T>(T settings) where T : SettingsGroup
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber(VersionKey, VersionOf<T>());
            foreach (var (setting, value) in SettingsRecord.ValuesOf(settings))
            {
                json.WritePropertyName(setting.Key);
                if (value is null)
                    json.WriteNullValue();
                else
                    setting.Kind.ToJson(value).WriteTo(json);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>The settings of the run that <paramref name="text"/> was written from.</summary>
    public static TrainingSettings Read(string text) => Read<TrainingSettings>(text);

    /// <summary>The settings that <paramref name="text"/> was written from, by this version or an older one.</summary>
    public static T Read<T>(string text) where T : SettingsGroup
    {
        var json = Parse(text);
        var version = TakeVersion(json);
        if (version > VersionOf<T>())
            throw Newer($", whose settings have version {version} (this one knows {VersionOf<T>()})");
        var settings = SettingsRecord.Make<T>(setting => Take(json, setting, version));
        // Ignoring a key would silently train something else than the run was started with.
        return json.Count == 0 ? settings : throw Newer($" that knows {json.First().Key}");
    }

    /// <summary>The version that is written: that of the newest key.</summary>
    private static int VersionOf<T>() => SettingsRecord.Of(typeof(T)).Settings.Max(s => s.Since);

    private static JsonObject Parse(string text)
    {
        try
        {
            return JsonNode.Parse(text, documentOptions: new() { AllowDuplicateProperties = false }) as JsonObject
                ?? throw new ElasticException("the stored settings of the run are not a JSON object");
        }
        catch (JsonException e)
        {
            throw new ElasticException($"the stored settings of the run cannot be read: {e.Message}", e);
        }
    }

    private static int TakeVersion(JsonObject json)
    {
        if (!json.Remove(VersionKey, out var version))
            return FirstVersion;
        return version is JsonValue value && value.TryGetValue<int>(out var number) && number > FirstVersion
            ? number
            : throw Unusable(VersionKey);
    }

    private static object? Take(JsonObject json, Setting setting, int version)
    {
        var found = json.Remove(setting.Key, out var node);
        if (found && node is not null)
            return setting.Kind.FromJson(node) ?? throw Unusable(setting.Key);
        if (!found && version < setting.Since)
            return setting.Before;
        return setting.IsOptional ? null : throw new ElasticException($"the stored settings of the run lack {setting.Key}");
    }

    private static ElasticException Newer(string by) => new($"the run was started by a newer Elastic{by}: go on with that version");

    private static ElasticException Unusable(string key) => new($"the stored settings of the run hold no usable {key}");
}
