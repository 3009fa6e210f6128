using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Host.Configuration;

/// <summary>All settings of one command, bound and checked.</summary>
/// <param name="Title">The presets and files that they come from, for people: "tiny", "gpt2-124m + mine.conf".</param>
/// <param name="Corpus">The corpus of the run that they go on with; null for a new run, or where they name another one.</param>
internal sealed record ElasticSettings(string Title, TrainingSettings Training, NodeSettings Node, Digest? Corpus = null)
{
    /// <summary>The title of settings that are a run's own.</summary>
    public const string AsStarted = "as started";

    /// <summary>Binds merged keys to the records, once.</summary>
    /// <param name="told">Problems that were found before: reported with the others.</param>
    /// <param name="isNew">False for those of a run that exists, which goes on with what it began with.</param>
    /// <exception cref="SettingsException">Names every problem.</exception>
    public static ElasticSettings Bind(
        string title, IReadOnlyDictionary<string, SettingText> values, IReadOnlyCollection<string> told, bool isNew)
    {
        values = values.Values.ToDictionary(v => v.Key, WithFullPath);
        List<string> wrong = [];
        var settings = new ElasticSettings(
            title, SettingsBinding.Bind<TrainingSettings>(values, wrong), SettingsBinding.Bind<NodeSettings>(values, wrong));

        // A default stands for a value of the wrong type: what the records say of it is about nothing that anybody wrote.
        var replaced = wrong.Select(KeyOf).ToList();
        List<string> found =
        [
            .. settings.Training.Problems().Concat(isNew ? settings.Training.ProblemsOfNewRun() : []).Concat(settings.Node.Problems())
                .Concat(DatabaseAddresses.Problems(settings.Node.Database))
                .Where(p => !replaced.Exists(key => p.Contains(key, StringComparison.Ordinal))),
        ];
        // What is beyond a value that is wrong itself may be wrong by that alone.
        var keys = found.Select(KeyOf).ToHashSet(StringComparer.Ordinal);
        List<string> problems =
        [
            .. told, .. wrong,
            .. found.Where(p => SettingsSchema.All.Find(KeyOf(p))?.ShareOf is not { } whole || !keys.Contains(whole)
                    || !p.Contains(whole, StringComparison.Ordinal)).Select(p => p + Place(p, values)),
        ];
        return problems.Count > 0 ? throw new SettingsException(problems.Distinct()) : settings;
    }

    /// <summary>A value with the full paths that it names on this machine; any other value as it is.</summary>
    public static SettingText WithFullPath(SettingText value)
    {
        var setting = SettingsSchema.All.Find(value.Key)!;
        return setting.IsPath || setting.IsNameOrPath
            ? value with { Items = [.. value.Items.Select(item => IsPath(item) ? Path.GetFullPath(item) : item)] } : value;

        // What the setting takes as it stands is a name, whatever lies here: a folder gpt2 makes no other corpus of a run with gpt2.
        bool IsPath(string item) => item.Length > 0
            && (setting.IsPath || item.AsSpan().ContainsAny('/', '\\') || (setting.Problems(item).Any() && Path.Exists(item)));
    }

    // A problem begins with its key. Adds the place where the key was set; a default has none.
    private static string Place(string problem, IReadOnlyDictionary<string, SettingText> values) =>
        values.TryGetValue(KeyOf(problem), out var value) && !value.IsDefault ? $" ({value.Where})" : "";

    private static string KeyOf(string problem) => problem.Split(' ')[0];
}
