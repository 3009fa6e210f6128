using System.Globalization;
using System.Text.Json;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Model.Exchange;

/// <summary>
/// A folder's config.json. Reading goes on behind a problem, so that all of them can be told at once. A key that nobody asks for is passed
/// over: most of them are about other programs.
/// </summary>
internal sealed class ModelConfig
{
    /// <summary>The name of the file.</summary>
    public const string FileName = "config.json";

    private const int MostBytes = 4 << 20;

    private readonly JsonElement _json;
    private readonly List<string> _problems;

    private ModelConfig(string path, JsonElement json, List<string>? problems = null) =>
        (Path, _json, _problems) = (path, json, problems ?? []);

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>What is wrong with what was read so far, a sentence each.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>model_type; null where there is none.</summary>
    public string? ModelType => Find("model_type") is { ValueKind: JsonValueKind.String } type ? type.GetString() : null;

    /// <summary>Reads the config of a folder.</summary>
    /// <exception cref="ElasticException">There is no such file, or it is no JSON object.</exception>
    public static ModelConfig Read(string folder) =>
        Read(folder, FileName, "a model", "Transformers' save_pretrained or elastic export");

    /// <summary>Reads a config of another name.</summary>
    /// <param name="what">What the folder is to hold, for the message.</param>
    /// <param name="writers">Who writes such folders, for the message.</param>
    /// <inheritdoc cref="Read(string)" path="/exception"/>
    public static ModelConfig Read(string folder, string name, string what, string writers)
    {
        var path = System.IO.Path.Combine(folder, name);
        try
        {
            using var json = JsonDocument.Parse(RegularFile.Read(path, MostBytes), new() { AllowDuplicateProperties = false });
            return json.RootElement.ValueKind == JsonValueKind.Object
                ? new ModelConfig(path, json.RootElement.Clone())
                : throw new ElasticException($"{path} is no JSON object: get it again");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            const string checkpoints = "checkpoints";
            throw new ElasticException(Directory.Exists(System.IO.Path.Combine(folder, checkpoints))
                ? $"{folder} is the folder of a run: elastic export --model {folder} --out DIR makes one of its model; or name a "
                    + $"checkpoint in it, {checkpoints}/round-NNNNNN.json, and set the model.* keys to the run's"
                : $"{folder} is no folder of {what}: it has no {name}; name one that {writers} wrote", e);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ElasticException($"{path} is no JSON ({OneLine.Of(e.Message)}): get it again", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException($"{path} cannot be read ({e.Message.TrimEnd('.')}): mend that, or name another folder", e);
        }
    }

    /// <summary>A whole number that decides a setting.</summary>
    /// <param name="absent">The number of a config without the key.</param>
    public SettingText Whole(string setting, string key, int absent)
    {
        var number = absent;
        if (Find(key) is { } value && !(value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out number)))
            _problems.Add($"{key} = {Shown(value)} ({Path}): expected a whole number");
        return new SettingText(setting, [number.ToString(CultureInfo.InvariantCulture)], IsList: false, $"{key} in {Path}");
    }

    /// <summary>A whole number that decides a setting, or null, which stands for another.</summary>
    /// <param name="absent">The number of a config without the key.</param>
    public SettingText WholeOrNull(string setting, string key, int absent, int ofNull) => Find(key) is { ValueKind: JsonValueKind.Null }
        ? Of(setting, key, [ofNull.ToString(CultureInfo.InvariantCulture)]) : Whole(setting, key, absent);

    /// <summary>A number that decides a setting.</summary>
    /// <param name="absent">The number of a config without the key.</param>
    public SettingText Real(string setting, string key, double absent)
    {
        var number = absent;
        if (Find(key) is { } value && !(value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out number)))
            _problems.Add($"{key} = {Shown(value)} ({Path}): expected a number");
        return Of(setting, key, [number.ToString("R", CultureInfo.InvariantCulture)]);
    }

    /// <summary>Two numbers that decide a setting.</summary>
    public SettingText Pair(string setting, (string Key, double Absent) first, (string Key, double Absent) second) =>
        Of(setting, first.Key, [Real(setting, first.Key, first.Absent).Text, Real(setting, second.Key, second.Absent).Text], isList: true);

    /// <summary>true or false that decides a setting.</summary>
    /// <param name="absent">Value of a config without the key.</param>
    public SettingText Flag(string setting, string key, bool absent)
    {
        if (Find(key) is { ValueKind: not (JsonValueKind.True or JsonValueKind.False) } value)
            _problems.Add($"{key} = {Shown(value)} ({Path}): expected true or false");
        var flag = Find(key) is { ValueKind: JsonValueKind.True or JsonValueKind.False } given ? given.GetBoolean() : absent;
        return Of(setting, key, [flag ? "true" : "false"]);
    }

    /// <summary>A setting that the model's type decides.</summary>
    public SettingText Given(string setting, string value) => Of(setting, "model_type", [value]);

    /// <summary>A text; null where there is none.</summary>
    public string? Word(string key) => Find(key) is { ValueKind: JsonValueKind.String } word ? word.GetString() : null;

    /// <summary>A list of texts; empty, with a problem, where there is none.</summary>
    public IReadOnlyList<string> Words(string key)
    {
        if (Find(key) is { ValueKind: JsonValueKind.Array } list
            && list.EnumerateArray().All(word => word.ValueKind == JsonValueKind.String) && list.GetArrayLength() > 0)
            return [.. list.EnumerateArray().Select(word => word.GetString()!)];
        _problems.Add($"{key} = {(Find(key) is { } value ? Shown(value) : "its default")} ({Path}): expected a list of texts");
        return [];
    }

    /// <summary>Notes a problem where the key has a value other than null, false, an empty list or an empty object.</summary>
    public void RequireEmpty(string key)
    {
        var isEmpty = Find(key) is not { } value || value.ValueKind switch
        {
            JsonValueKind.Null or JsonValueKind.False => true,
            JsonValueKind.Array => value.GetArrayLength() == 0,
            JsonValueKind.Object => !value.EnumerateObject().Any(),
            _ => false,
        };
        if (!isEmpty)
            Refuse(key, "null");
    }

    /// <summary>Notes a problem where the key has a value other than null, true, false or one of these words, in any case.</summary>
    /// <param name="remedy">What another value means, and what to do.</param>
    public void RequireFlagOr(string key, string remedy, params string[] words)
    {
        if (Find(key) is { ValueKind: not (JsonValueKind.Null or JsonValueKind.True or JsonValueKind.False) }
            && !words.Contains(Word(key), StringComparer.OrdinalIgnoreCase))
            Note(key, remedy);
    }

    /// <summary>False where the key is absent or null.</summary>
    public bool Has(string key) => Find(key) is { ValueKind: not JsonValueKind.Null };

    /// <summary>An object inside, whose problems are this one's; null where it is absent or null.</summary>
    public ModelConfig? Part(string key)
    {
        if (!Has(key))
            return null;
        if (Find(key) is { ValueKind: JsonValueKind.Object } part)
            return new ModelConfig($"{key} in {Path}", part, _problems);
        _problems.Add($"{key} = {Shown(Find(key)!.Value)} ({Path}): expected an object");
        return null;
    }

    /// <summary>Notes a problem where the key has a value.</summary>
    public void RequireNull(string key)
    {
        if (Has(key))
            Refuse(key, "null");
    }

    private SettingText Of(string setting, string key, string[] items, bool isList = false) =>
        new(setting, items, isList, $"{key} in {Path}");

    /// <summary>The number of a setting that was read.</summary>
    public static int Number(SettingText setting)
    {
        ArgumentNullException.ThrowIfNull(setting);
        return int.Parse(setting.Text, CultureInfo.InvariantCulture);
    }

    /// <inheritdoc cref="Number"/>
    public static double RealOf(SettingText setting)
    {
        ArgumentNullException.ThrowIfNull(setting);
        return double.Parse(setting.Text, CultureInfo.InvariantCulture);
    }

    /// <summary>Notes a problem unless the key has one of these texts.</summary>
    /// <param name="absent">The text of a config without the key.</param>
    public void Require(string key, string absent, params string[] allowed)
    {
        if (Find(key) is { } value
            ? !(value.ValueKind == JsonValueKind.String && allowed.Contains(value.GetString()))
            : !allowed.Contains(absent))
            Refuse(key, string.Join(" or ", allowed.Select(a => $"\"{a}\"")));
    }

    /// <summary>Notes a problem where the key has another value than this, which is also its default.</summary>
    public void Require(string key, bool only)
    {
        if (Find(key) is { } value && value.ValueKind != (only ? JsonValueKind.True : JsonValueKind.False))
            Refuse(key, only ? "true" : "false");
    }

    /// <inheritdoc cref="Require(string, bool)"/>
    public void Require(string key, double only)
    {
        if (Find(key) is { } value
            && !(value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number.Equals(only)))
            Refuse(key, only.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Notes a problem where the key is neither null nor this number.</summary>
    public void RequireNullOr(string key, long only)
    {
        if (Find(key) is { ValueKind: not JsonValueKind.Null } value
            && !(value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) && number == only))
            Refuse(key, $"null or {only}");
    }

    private JsonElement? Find(string key) => _json.TryGetProperty(key, out var value) ? value : null;

    /// <summary>Notes a problem with the value of a key.</summary>
    /// <param name="why">What is wrong with it, and what to do.</param>
    public void Note(string key, string why) =>
        _problems.Add($"{key} = {(Find(key) is { } value ? Shown(value) : "its default")} ({Path}): {why}");

    private void Refuse(string key, string only) => Note(key, $"the arithmetic here knows {only} only");

    private static string Shown(JsonElement value) => OneLine.Of(value.GetRawText(), 80);
}
