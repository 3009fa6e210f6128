using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Messages.Pbm;
using Elastic.Storage;

namespace Elastic.Host.Pbm;

/// <summary>A run as a client asks for it. Only the corpus and <c>model.init</c> may name paths of this machine.</summary>
/// <param name="Configs">Presets, and files with their texts; later ones override earlier ones.</param>
/// <param name="Corpus">Files and folders of this machine; empty for the configuration's.</param>
/// <param name="Sets">Each "key=value"; later ones override earlier ones.</param>
internal sealed record RequestedRun(IReadOnlyList<CallValue> Configs, IReadOnlyList<string> Corpus, string Name, IReadOnlyList<string> Sets)
{
    private const string NodeKeys = "node.";

    /// <summary>What the person has typed the values of <see cref="Sets"/> behind, for messages.</summary>
    public string SetOption { get; init; } = "--set";

    /// <summary>The settings of the run, after the weights that it names in a store were fetched: they decide other settings.</summary>
    /// <param name="models">Models that this machine stores.</param>
    /// <exception cref="ElasticException">The store does not give them.</exception>
    /// <inheritdoc cref="Load"/>
    public async Task<ElasticSettings> LoadAsync(RememberedRun? run, StoredModels models, CancellationToken cancel)
    {
        // What cannot be read is told below.
        await models.BringAsync(ModelFolderLayer.PlacesIn(Asked(ConfigsFor(run), [])), cancel);
        return Load(run, models);
    }

    /// <summary>The settings of the run.</summary>
    /// <param name="run">The run of that name, whose settings stand in for the default preset; null for a new one.</param>
    /// <param name="models">Where folders of stores are; null where the settings name none.</param>
    /// <exception cref="SettingsException">Names every problem.</exception>
    public ElasticSettings Load(RememberedRun? run, StoredModels? models = null)
    {
        var configs = ConfigsFor(run);
        List<string> problems = [];
        var asked = Asked(configs, problems);
        problems.AddRange(asked.SelectMany(l => l.Problems)
            .Concat(asked.SelectMany(l => l.Values).Where(v => v.Key.StartsWith(NodeKeys, StringComparison.Ordinal))
                .Select(v =>
                    $"{v.Key} ({v.Where}): it belongs to a node, not to a run; leave it out here, and set it where the node is started"))
            .Concat(ModelFolderLayer.RelativePlaces(asked.SelectMany(l => l.Values), run?.Settings.Model)));
        List<ConfigurationLayer> layers =
        [
            ConfigurationLayer.Defaults(), .. run is null ? Array.Empty<ConfigurationLayer>() : [ConfigurationLayer.OfRun(run)], .. asked,
            ConfigurationLayer.Of("--name", "run.name", [Name], isList: false),
        ];
        if (Corpus.Count > 0)
            layers.Add(ConfigurationLayer.Of("--corpus", "corpus.sources", Corpus, isList: true));
        layers.Add(ModelFolderLayer.Of(asked, models, run is null, problems));
        var title = configs.Count == 0 ? ElasticSettings.AsStarted : string.Join(" + ", configs.Select(c => c.Value));
        return ElasticSettings.Bind(title, ConfigurationLoader.Merge(layers), problems, isNew: run is null) with
        {
            Corpus = Corpus.Count > 0 ? null : ConfigurationLoader.CorpusOf(run, asked),
        };
    }

    private IReadOnlyList<CallValue> ConfigsFor(RememberedRun? run) =>
        Configs.Count > 0 || run is not null ? Configs : [new CallValue("config", Presets.Default)];

    private List<ConfigurationLayer> Asked(IReadOnlyList<CallValue> configs, ICollection<string> problems) =>
    [
        .. configs.Select(c => ConfigurationLoader.Read(
            () => c.FileText is { } text ? ConfigurationLayer.Parse(c.Value, text) : ConfigurationLayer.Preset(c.Value), problems)),
        .. Sets.Select(s => ConfigurationLoader.Read(() => ConfigurationLayer.ParseSet(s, SetOption), problems)),
    ];
}
