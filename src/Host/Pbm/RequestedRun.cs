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

    /// <summary>The settings of the run.</summary>
    /// <param name="run">The run of that name, whose settings stand in for the default preset; null for a new one.</param>
    /// <exception cref="SettingsException">Names every problem.</exception>
    public ElasticSettings Load(RememberedRun? run)
    {
        IReadOnlyList<CallValue> configs = Configs.Count > 0 || run is not null ? Configs : [new CallValue("config", Presets.Default)];
        List<string> problems = [];
        List<ConfigurationLayer> asked =
        [
            .. configs.Select(c => ConfigurationLoader.Read(
                () => c.FileText is { } text ? ConfigurationLayer.Parse(c.Value, text) : ConfigurationLayer.Preset(c.Value), problems)),
            .. Sets.Select(s => ConfigurationLoader.Read(() => ConfigurationLayer.ParseSet(s), problems)),
        ];
        problems.AddRange(asked.SelectMany(l => l.Problems)
            .Concat(asked.SelectMany(l => l.Values).Where(v => v.Key.StartsWith(NodeKeys, StringComparison.Ordinal))
                .Select(v =>
                    $"{v.Key} ({v.Where}): it belongs to a node, not to a run; leave it out here, and set it where the node is started")));
        List<ConfigurationLayer> layers =
        [
            ConfigurationLayer.Defaults(), .. run is null ? Array.Empty<ConfigurationLayer>() : [ConfigurationLayer.OfRun(run)], .. asked,
            ConfigurationLayer.Of("--name", "run.name", [Name], isList: false),
        ];
        if (Corpus.Count > 0)
            layers.Add(ConfigurationLayer.Of("--corpus", "corpus.sources", Corpus, isList: true));
        layers.Add(ModelFolderLayer.Of(asked, problems));
        var title = configs.Count == 0 ? ElasticSettings.AsStarted : string.Join(" + ", configs.Select(c => c.Value));
        return ElasticSettings.Bind(title, ConfigurationLoader.Merge(layers), problems) with
        {
            Corpus = Corpus.Count > 0 ? null : ConfigurationLoader.CorpusOf(run, asked),
        };
    }
}
