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
    string? Devices = null, string? DataDir = null, string? EnvironmentDataDir = null);

/// <summary>Puts the layers of a configuration on top of each other and binds the result.</summary>
internal static class ConfigurationLoader
{
    /// <summary>Loads all settings. Throws a <see cref="SettingsException"/> that names every problem.</summary>
    /// <param name="run">The run that the command goes on with, which stands in for the default preset; null for a new one.</param>
    public static ElasticSettings Load(ConfigurationRequest request, RememberedRun? run = null)
    {
        var (below, given, above) = Layers(request, run);
        var title = request.Configs.Count == 0 && run is not null
            ? ElasticSettings.AsStarted
            : string.Join(" + ", ConfigsOf(request, run).Select(c => Path.GetFileName(c)));
        return ElasticSettings.Bind(title, Merge([.. below, .. given, .. above])) with { Corpus = CorpusOf(run, [.. given, .. above]) };
    }

    /// <summary>Which run a command is about, and where its journal is: known before the rest of the settings.</summary>
    public static (string Name, string DataDir, string? Database) WhichRun(ConfigurationRequest request)
    {
        var (below, given, above) = Layers(request, null);
        var values = Merge([.. below, .. given, .. above]);
        return (
            values["run.name"].Text, Path.GetFullPath(values["node.data-dir"].Text),
            values.TryGetValue("node.database", out var database) ? database.Text : null);
    }

    /// <summary>The corpus of the run, unless these layers say something about the corpus.</summary>
    public static Digest? CorpusOf(RememberedRun? run, IEnumerable<ConfigurationLayer> given) =>
        given.SelectMany(l => l.Values).Any(v => v.Key.StartsWith("corpus.", StringComparison.Ordinal)) ? null : run?.Corpus;

    // A run has its settings already: without a --config, the default preset would change them.
    private static IReadOnlyList<string> ConfigsOf(ConfigurationRequest request, RememberedRun? run) =>
        request.Configs.Count > 0 || run is not null ? request.Configs : [Presets.Default];

    private static (List<ConfigurationLayer> Below, List<ConfigurationLayer> Given, List<ConfigurationLayer> Above) Layers(
        ConfigurationRequest request, RememberedRun? run)
    {
        List<ConfigurationLayer> below =
        [
            ConfigurationLayer.Defaults(),
            .. Option("ELASTIC_DATA_DIR", "node.data-dir", request.EnvironmentDataDir),
        ];
        if (run is not null)
            below.Add(ConfigurationLayer.OfRun(run));
        List<ConfigurationLayer> given =
        [
            .. ConfigsOf(request, run).Select(ReadConfig),
            .. request.Sets.Select(ConfigurationLayer.ParseSet),
        ];
        List<ConfigurationLayer> above =
        [
            .. Option("--run", "run.name", request.Run),
            .. Option("--devices", "node.devices", request.Devices),
            .. Option("--data-dir", "node.data-dir", request.DataDir),
        ];
        if (request.Corpus is { Count: > 0 } corpus)
            above.Add(ConfigurationLayer.Of("--corpus", "corpus.sources", corpus, isList: true));

        var problems = below.Concat(given).Concat(above).SelectMany(l => l.Problems).ToList();
        return problems.Count > 0 ? throw new SettingsException(problems) : (below, given, above);
    }

    /// <summary>One value per key: the last layer that names it decides.</summary>
    public static IReadOnlyDictionary<string, SettingText> Merge(IEnumerable<ConfigurationLayer> layers, SettingsSchema? schema = null)
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

        return merged;
    }

    private static IEnumerable<ConfigurationLayer> Option(string origin, string key, string? value) =>
        string.IsNullOrEmpty(value) ? [] : [ConfigurationLayer.Of(origin, key, [value], isList: false)];

    private static ConfigurationLayer ReadConfig(string config)
    {
        if (Presets.Names.Contains(config))
            return ConfigurationLayer.Parse($"preset {config}", Presets.Read(config));
        if (!File.Exists(config))
        {
            throw new SettingsException(
                $"--config {config}: there is no such preset or file; presets are {string.Join(" and ", Presets.Names)}" +
                (Path.HasExtension(config) ? "" : $" (did you mean {EditDistance.Nearest(config, Presets.Names)}?)"));
        }

        try
        {
            return ConfigurationLayer.Parse(config, File.ReadAllText(config));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException($"--config {config} cannot be read: {e.Message}", e);
        }
    }
}
