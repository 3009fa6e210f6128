using System.Globalization;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Host.Configuration;

/// <summary>The configuration options of a command line. An option that is null was not given.</summary>
/// <param name="Configs">Presets and files, of which later ones override earlier ones; the default preset where there is none.</param>
/// <param name="Sets">Each "key=value"; later ones override earlier ones.</param>
/// <param name="EnvironmentDataDir">Value of ELASTIC_DATA_DIR.</param>
internal sealed record ConfigurationRequest(
    IReadOnlyList<string> Configs, IReadOnlyList<string> Sets, IReadOnlyList<string>? Corpus = null, string? Run = null,
    string? Devices = null, string? DataDir = null, string? EnvironmentDataDir = null)
{
    /// <summary>Defaults of the command where they differ from the settings' own.</summary>
    public IReadOnlyDictionary<string, string> Defaults { get; init; } = new Dictionary<string, string>();

    /// <summary>Further options that stand for one key each, e.g. <c>--port</c>. They beat <see cref="Sets"/>.</summary>
    public IReadOnlyList<(string Option, string Key, string? Value)> Options { get; init; } = [];
}

/// <summary>Puts the layers of a configuration on top of each other and binds the result.</summary>
internal static class ConfigurationLoader
{
    /// <summary>Loads all settings.</summary>
    /// <param name="problems">What else is wrong with the command line: told together with what is wrong here.</param>
    /// <exception cref="SettingsException">Names every problem.</exception>
    public static ElasticSettings Load(ConfigurationRequest request, params IEnumerable<string> problems)
    {
        var told = problems.ToList();
        return ElasticSettings.Bind(TitleOf(request), Effective(request, told), told);
    }

    /// <summary>The value of every key that has one, and where it comes from.</summary>
    /// <param name="problems">Gets a sentence about each source that cannot be read and each key that is unknown.</param>
    public static IReadOnlyDictionary<string, SettingText> Effective(ConfigurationRequest request, ICollection<string> problems)
    {
        List<ConfigurationLayer> layers =
        [
            ConfigurationLayer.Defaults(), .. request.Defaults.Select(d => ConfigurationLayer.Default(d.Key, d.Value)),
            .. Option("ELASTIC_DATA_DIR", "node.data-dir", request.EnvironmentDataDir),
            .. ConfigsOf(request).Select(c => Read(() => ReadConfig(c), problems)),
            .. request.Sets.Select(s => Read(() => ConfigurationLayer.ParseSet(s), problems)),
            .. request.Options.SelectMany(o => Option(o.Option, o.Key, o.Value)),
            .. Option("--run", "run.name", request.Run),
            .. Option("--devices", "node.devices", request.Devices),
            .. Option("--data-dir", "node.data-dir", request.DataDir),
        ];
        if (request.Corpus is { Count: > 0 } corpus)
            layers.Add(ConfigurationLayer.Of("--corpus", "corpus.sources", corpus, isList: true));
        foreach (var problem in layers.SelectMany(l => l.Problems))
            problems.Add(problem);
        return Merge(layers);
    }

    /// <summary>One value per key: the last layer that names it decides.</summary>
    public static IReadOnlyDictionary<string, SettingText> Merge(
        IReadOnlyCollection<ConfigurationLayer> layers, SettingsSchema? schema = null)
    {
        schema ??= SettingsSchema.All;
        var merged = new Dictionary<string, SettingText>(StringComparer.Ordinal);
        foreach (var layer in layers)
        {
            // run.epochs in a later layer removes run.rounds of an earlier one, and vice versa.
            foreach (var key in layer.Values.Where(v => !v.IsNull).SelectMany(v => schema.AlternativesOf(v.Key)))
                merged.Remove(key);

            foreach (var value in layer.Values)
            {
                if (value.IsNull)
                    merged.Remove(value.Key);
                else
                    merged[value.Key] = value;
            }
        }

        foreach (var (setting, whole) in schema.Settings.Where(s => s.ShareOf is not null).Select(s => (s, schema.Find(s.ShareOf!)!)))
        {
            // A person who sets only the whole means the part to go with it.
            if (merged.GetValueOrDefault(setting.Key) is { IsBuiltIn: true } part
                && merged.GetValueOrDefault(whole.Key) is { IsBuiltIn: false } given
                && layers.SelectMany(l => l.Values).LastOrDefault(v => v.Key == whole.Key && v.IsBuiltIn) is { } builtIn)
                merged[setting.Key] = Scaled(setting, part, given, builtIn);
        }

        return merged;
    }

    // In decimal digits, as people write them: 0.0002 * 0.0001 / 0.002 is 0.00001.
    private static SettingText Scaled(Setting setting, SettingText part, SettingText given, SettingText builtIn)
    {
        const NumberStyles style = NumberStyles.Float;
        if (!decimal.TryParse(part.Text, style, CultureInfo.InvariantCulture, out var share)
            || !decimal.TryParse(builtIn.Text, style, CultureInfo.InvariantCulture, out var from) || from == 0
            || !decimal.TryParse(given.Text, style, CultureInfo.InvariantCulture, out var to))
            return part;                                        // what is no number is reported when it is bound
        // By way of the text: the cast from decimal to double does not round to the nearest.
        var scaled = double.Parse((share * to / from).ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        return new SettingText(setting.Key, setting.Kind.Items(scaled), IsList: false, $"goes with {given.Key}, {given.Where}")
        { IsBuiltIn = true };
    }

    private static IReadOnlyList<string> ConfigsOf(ConfigurationRequest request) =>
        request.Configs.Count > 0 ? request.Configs : [Presets.Default];

    private static string TitleOf(ConfigurationRequest request) =>
        string.Join(" + ", ConfigsOf(request).Select(c => Path.GetFileName(c)));

    /// <summary>Reads one source; one that cannot be read is a problem, and empty.</summary>
    public static ConfigurationLayer Read(Func<ConfigurationLayer> read, ICollection<string> problems)
    {
        try
        {
            return read();
        }
        catch (SettingsException e)
        {
            foreach (var problem in e.Message.Split('\n'))
                problems.Add(problem);
            return ConfigurationLayer.None;
        }
    }

    private static IEnumerable<ConfigurationLayer> Option(string origin, string key, string? value) =>
        string.IsNullOrEmpty(value) ? [] : [ConfigurationLayer.Of(origin, key, [value], isList: false)];

    private static ConfigurationLayer ReadConfig(string config)
    {
        if (Presets.Names.Contains(config))
            return ConfigurationLayer.Preset(config);
        if (!File.Exists(config))
        {
            throw new SettingsException(
                $"--config {config}: there is no such preset or file; presets are {string.Join(" and ", Presets.Names)}"
                + (EditDistance.Nearest(config, Presets.Names) is { } nearest ? $" (did you mean {nearest}?)" : ""));
        }

        try
        {
            return ConfigurationLayer.Parse(config, File.ReadAllText(config));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"--config {config} cannot be read: {e.Message}", e);
        }
    }
}
