using System.Globalization;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Storage;

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
    public static ElasticSettings Load(ConfigurationRequest request, params IEnumerable<string> problems) =>
        LoadFor(null, request, problems);

    /// <param name="run">The run that the command goes on with, which stands in for the default preset; null for a new one.</param>
    /// <inheritdoc cref="Load"/>
    public static ElasticSettings LoadFor(RememberedRun? run, ConfigurationRequest request, params IEnumerable<string> problems)
    {
        var told = problems.ToList();
        var (below, given, above) = Layers(request, run, told);
        var title = request.Configs.Count == 0 && run is not null
            ? ElasticSettings.AsStarted
            : string.Join(" + ", ConfigsOf(request, run).Select(c => Path.GetFileName(c)));
        var model = ModelFolderLayer.Of([.. given, .. above], ModelsOf([.. below, .. given, .. above]), run is null, told);
        var settings = ElasticSettings.Bind(title, Merge([.. below, .. given, .. above, model]), told, isNew: run is null);
        return settings with { Corpus = CorpusOf(run, [.. given, .. above]) };
    }

    /// <summary>The value of every key that has one, and where it comes from.</summary>
    /// <param name="problems">Gets a sentence about each source that cannot be read and each key that is unknown.</param>
    /// <inheritdoc cref="LoadFor" path="/param[@name='run']"/>
    public static IReadOnlyDictionary<string, SettingText> Effective(
        RememberedRun? run, ConfigurationRequest request, ICollection<string> problems)
    {
        var (below, given, above) = Layers(request, run, problems);
        var model = ModelFolderLayer.Of([.. given, .. above], ModelsOf([.. below, .. given, .. above]), run is null, problems);
        return Merge([.. below, .. given, .. above, model]);
    }

    /// <summary>Fetches the weights that a command names in a store: they decide other settings.</summary>
    /// <exception cref="ElasticException">The store does not give them.</exception>
    public static Task BringAsync(ConfigurationRequest request, CancellationToken cancel)
    {
        var (below, given, above) = Layers(request, null, []);
        return ModelsOf([.. below, .. given, .. above]).BringAsync(ModelFolderLayer.PlacesIn([.. given, .. above]), cancel);
    }

    private static StoredModels ModelsOf(IReadOnlyCollection<ConfigurationLayer> layers) =>
        new(new DataPaths(RootIn(Merge(layers))).Models);

    // An empty path has no full one, and is reported with the other settings.
    private static string RootIn(IReadOnlyDictionary<string, SettingText> values) =>
        Path.GetFullPath(values.GetValueOrDefault("node.data-dir")?.Text is { Length: > 0 } root ? root : ".");

    /// <summary>
    /// Which run a command is about, and where its journal is: known before the rest of the settings. What is wrong with them is reported
    /// when they are loaded.
    /// </summary>
    public static (string Name, string DataDir, string? Database) WhichRun(ConfigurationRequest request)
    {
        var values = Effective(null, request, []);
        string? Value(string key) => values.TryGetValue(key, out var value) ? value.Text : null;
        return (Value("run.name") ?? "", RootIn(values), Value("node.database"));
    }

    /// <summary>The corpus of the run, unless these layers say something about the corpus.</summary>
    public static Digest? CorpusOf(RememberedRun? run, IEnumerable<ConfigurationLayer> given) =>
        given.SelectMany(l => l.Values).Any(v => v.Key.StartsWith("corpus.", StringComparison.Ordinal)) ? null : run?.Corpus;

    // A run has its settings already: without a --config, the default preset would change them.
    private static IReadOnlyList<string> ConfigsOf(ConfigurationRequest request, RememberedRun? run) =>
        request.Configs.Count > 0 || run is not null ? request.Configs : [Presets.Default];

    private static (List<ConfigurationLayer> Below, List<ConfigurationLayer> Given, List<ConfigurationLayer> Above) Layers(
        ConfigurationRequest request, RememberedRun? run, ICollection<string> problems)
    {
        List<ConfigurationLayer> below =
        [
            ConfigurationLayer.Defaults(), .. request.Defaults.Select(d => ConfigurationLayer.Default(d.Key, d.Value)),
            .. Option("ELASTIC_DATA_DIR", "node.data-dir", request.EnvironmentDataDir, problems),
        ];
        if (run is not null)
            below.Add(ConfigurationLayer.OfRun(run));
        List<ConfigurationLayer> given =
        [
            .. ConfigsOf(request, run).Select(c => Read(() => ReadConfig(c), problems)),
            .. request.Sets.Select(s => Read(() => ConfigurationLayer.ParseSet(s), problems)),
        ];
        List<ConfigurationLayer> above =
        [
            .. request.Options.SelectMany(o => Option(o.Option, o.Key, o.Value, problems)),
            .. Option("--run", "run.name", request.Run, problems),
            .. Option("--devices", "node.devices", request.Devices, problems),
            .. Option("--data-dir", "node.data-dir", request.DataDir, problems),
        ];
        if (request.Corpus is { Count: > 0 } corpus)
            above.Add(ConfigurationLayer.Of("--corpus", "corpus.sources", corpus, isList: true));
        foreach (var problem in below.Concat(given).Concat(above).SelectMany(l => l.Problems))
            problems.Add(problem);
        return (below, [.. given.Select(Here)], [.. above.Select(Here)]);

        ConfigurationLayer Here(ConfigurationLayer layer) => layer.With(v => ModelFolderLayer.WithFullPath(v, run?.Settings.Model));
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

    // An empty text is a variable of a script that was not set: taken for no option, it would give the command another meaning.
    private static ConfigurationLayer[] Option(string origin, string key, string? value, ICollection<string> problems)
    {
        if (value is { Length: 0 })
            problems.Add($"{origin} is empty: give it a value, or leave it out");
        return string.IsNullOrEmpty(value) ? [] : [ConfigurationLayer.Of(origin, key, [value], isList: false)];
    }

    private static ConfigurationLayer ReadConfig(string config)
    {
        if (Presets.Names.Contains(config))
            return ConfigurationLayer.Preset(config);
        if (!File.Exists(config))
        {
            throw new SettingsException(
                $"--config {config}: there is no such preset or file; presets are {string.Join(", ", Presets.Names)}"
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
