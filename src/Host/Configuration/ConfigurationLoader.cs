using Elastic.Foundation;
using Elastic.Messages.Settings;

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
    public static ElasticSettings Load(ConfigurationRequest request)
    {
        IReadOnlyList<string> configs = request.Configs.Count > 0 ? request.Configs : [Presets.Default];
        List<ConfigurationLayer> layers =
        [
            ConfigurationLayer.Defaults(),
            .. Option("ELASTIC_DATA_DIR", "node.data-dir", request.EnvironmentDataDir),
            .. configs.Select(ReadConfig),
            .. request.Sets.Select(ConfigurationLayer.ParseSet),
            .. Option("--run", "run.name", request.Run),
            .. Option("--devices", "node.devices", request.Devices),
            .. Option("--data-dir", "node.data-dir", request.DataDir),
        ];
        if (request.Corpus is { Count: > 0 } corpus)
            layers.Add(ConfigurationLayer.Of("--corpus", "corpus.sources", corpus, isList: true));

        var problems = layers.SelectMany(l => l.Problems).ToList();
        if (problems.Count > 0)
            throw new SettingsException(problems);
        return ElasticSettings.Bind(string.Join(" + ", configs.Select(c => Path.GetFileName(c))), Merge(layers));
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
