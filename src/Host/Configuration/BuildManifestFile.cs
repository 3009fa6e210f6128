using System.Globalization;
using Akka.Configuration.Hocon;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Host.Stages;
using Elastic.Messages.Settings;

namespace Elastic.Host.Configuration;

/// <summary>
/// Reads the manifest of a corpus build: <c>sources = [ { name = books, paths = [books] } ]</c> and
/// <c>stages = [ { stage = clean } ]</c>, in their order.
/// </summary>
internal static class BuildManifestFile
{
    private const string Sources = "sources", Stages = "stages", TakeDown = "takedown", Limit = "limit", StageKey = "stage";

    private static readonly SettingsSchema TakeDownSchema = new(typeof(TakeDownSettings));

    /// <summary>Reads a file; paths in it are relative to its folder.</summary>
    /// <exception cref="ElasticException">All that is wrong with it, a line each.</exception>
    public static BuildManifest Read(string path) => Parse(TextOf(path), path);

    /// <summary>The text of a file.</summary>
    /// <exception cref="ElasticException">It cannot be read.</exception>
    public static string TextOf(string path)
    {
        try
        {
            return System.Text.Encoding.UTF8.GetString(RegularFile.Read(path, HoconText.MostCharacters * 4));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new NotFoundException($"there is no manifest {path}: name a file with --manifest", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException(
                $"the manifest {path} cannot be read ({e.Message.TrimEnd('.')}): name another file with --manifest", e);
        }
    }

    /// <summary>Reads a text, called <paramref name="path"/> in messages.</summary>
    public static BuildManifest Parse(string text, string path)
    {
        HoconText.Check(text, path);
        var root = HoconText.Parse(text, path);
        var problems = new List<string>();
        foreach (var key in root.Items.Keys.Where(key => key is not (Sources or Stages or TakeDown or Limit)))
            problems.Add($"unknown key {OneLine.Of(key, 80)} ({path}): a manifest has {Sources}, {Stages}, {TakeDown} and {Limit}");
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var sources = Blocks(root, Sources, path, problems)
            .Select((block, i) => Values(block, "source", BuildManifest.SourceSchema, Where(path, Sources, i), problems))
            .Select(values => Absolute(values, BuildManifest.SourceSchema, folder)).ToList();
        var stages = Blocks(root, Stages, path, problems)
            .Select((block, i) => StageOf(block, Where(path, Stages, i), folder, problems))
            .OfType<(StageKind, IReadOnlyList<SettingText>)>().ToList();
        var takeDowns = TakeDownsOf(root, folder, path, problems);
        var limit = LimitOf(root, path, problems);
        if (problems.Count > 0)
            throw new SettingsException(problems);
        try
        {
            return BuildManifest.Of(sources, stages) with { TakeDowns = takeDowns, Limit = limit };
        }
        catch (ManifestException e)
        {
            throw new SettingsException(e.Problems);
        }
    }

    /// <summary>The text of a manifest for a trial of it.</summary>
    /// <param name="limit">Documents of each source that are read.</param>
    public static string Limited(string text, long limit) => string.Create(CultureInfo.InvariantCulture, $"{text}\n{Limit} = {limit}\n");

    private static long? LimitOf(HoconObject root, string path, List<string> problems)
    {
        if (!root.Items.TryGetValue(Limit, out var value))
            return null;
        if (long.TryParse(value.IsObject() ? "" : value.GetString(), CultureInfo.InvariantCulture, out var limit) && limit >= 1)
            return limit;
        problems.Add($"{Limit} ({path}): write how many documents of each source a trial reads, 1 or more, e.g. {Limit} = 1000");
        return null;
    }

    private static TakeDowns TakeDownsOf(HoconObject root, string folder, string path, List<string> problems)
    {
        if (!root.Items.TryGetValue(TakeDown, out var value))
            return TakeDowns.None;
        if (!value.IsObject())
        {
            problems.Add($"{TakeDown} ({path}): write a block, e.g. takedown = {{ urls = [\"https://example.com/page\"] }}");
            return TakeDowns.None;
        }
        var values = Absolute(Values(value.GetObject(), TakeDown, TakeDownSchema, $"{path}, {TakeDown}", problems), TakeDownSchema, folder);
        var settings = SettingsBinding.Bind<TakeDownSettings>(
            TakeDownSchema.Defaults.Concat(values).GroupBy(v => v.Key).ToDictionary(g => g.Key, g => g.Last()), problems);
        return problems.Count == 0 ? TakeDowns.Of(settings) : TakeDowns.None;
    }

    private static string Where(string path, string list, int index) => $"{path}, {list} {index + 1}";

    private static List<HoconObject> Blocks(HoconObject root, string key, string path, List<string> problems)
    {
        if (!root.Items.TryGetValue(key, out var value))
            return [];
        var blocks = value.Values.Any(v => v is HoconArray) ? value.GetArray() : [];
        if (blocks.Count == 0 || blocks.Any(b => !b.IsObject()))
            problems.Add($"{key} ({path}): write a list of blocks, e.g. "
                + (key == Sources ? "sources = [ { name = books, paths = [books] } ]" : "stages = [ { stage = clean } ]"));
        return [.. blocks.Where(b => b.IsObject()).Select(b => b.GetObject())];
    }

    private static (StageKind, IReadOnlyList<SettingText>)? StageOf(HoconObject block, string where, string folder, List<string> problems)
    {
        var name = block.Items.TryGetValue(StageKey, out var value) && !value.IsObject() ? value.GetString() ?? "" : "";
        if (AllStages.Find(name) is { } kind)
        {
            var values = Values(block, kind.Name, kind.Schema, where, problems);
            return (kind, Absolute(values, kind.Schema, folder));
        }
        var known = string.Join(", ", AllStages.Kinds.Select(k => k.Name));
        problems.Add(name.Length == 0 ? $"{where} says no stage = NAME: known are {known}"
            : $"{where}: stage = {OneLine.Of(name, 80)} is not known: known are {known}");
        return null;
    }

    // A key stands without the name of its block; those that all stages have are of the block "scope".
    private static List<SettingText> Values(
        HoconObject block, string name, SettingsSchema schema, string where, List<string> problems)
    {
        var values = new List<SettingText>();
        foreach (var (key, value) in block.Items.Where(item => item.Key != StageKey))
        {
            var setting = schema.Find($"{name}.{key}") ?? schema.Find($"scope.{key}");
            if (setting is null)
                problems.Add($"{where}: unknown key {OneLine.Of(key, 80)}" + (schema.Nearest($"{name}.{key}") is { } nearest
                    ? $": did you mean {Short(nearest)}?" : $": known are {string.Join(", ", schema.Settings.Select(s => Short(s.Key)))}"));
            else if (value.IsObject())
                problems.Add($"{where}: {key} is a value, not a block");
            else if (value.Values.Any(v => v is HoconArray))
                values.Add(new SettingText(setting.Key, [.. value.GetArray().Select(v => v.GetString())], IsList: true, where));
            else
                values.Add(new SettingText(setting.Key, [value.GetString() ?? SettingText.Null], IsList: false, where));
        }
        return values;
    }

    private static string Short(string key) => key[(key.IndexOf('.', StringComparison.Ordinal) + 1)..];

    private static string Absolute(string path, string folder) =>
        path.Length == 0 || SourceUrl.Is(path) || NodePath.Of(path) is not null ? path : Path.GetFullPath(path, folder);

    private static IReadOnlyList<SettingText> Absolute(IReadOnlyList<SettingText> values, SettingsSchema schema, string folder) =>
    [
        .. values.Select(v => schema.Find(v.Key)!.IsPath ? v with { Items = [.. v.Items.Select(p => Absolute(p, folder))] } : v),
    ];
}
