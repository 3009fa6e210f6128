using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build;

/// <summary>
/// The weights of a manifest, beside the text that was built of it and outside of its identity: they are what <c>corpus.mixture</c> is
/// where nobody sets it.
/// </summary>
public static class DefaultMixture
{
    /// <summary>The file's name in the folder of a build: a line for each source. There is none where every source is read once.</summary>
    public const string FileName = "mixture";

    private const int MostBytes = 1 << 20;

    /// <summary>Keeps the weights of the manifest that was built last.</summary>
    public static void Write(BuiltText text, BuildManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(manifest);
        var path = Path.Combine(text.Folder, FileName);
        if (manifest.Sources.All(s => s.Weight == 1))
            File.Delete(path);
        else
            DurableFile.WriteDurably(path, Encoding.UTF8.GetBytes(string.Concat(
                manifest.Sources.Where(s => IsTrainedOn(text.Report, s.Name)).Select(s => $"{new MixtureWeight(s.Name, s.Weight)}\n"))));
    }

    // Before all of its text is made into tokens.
    private static CorpusSettings Checked(CorpusSettings settings, BuiltText text)
    {
        var names = text.Report.Kept.Select(s => s.Name).Where(name => IsTrainedOn(text.Report, name)).ToList();
        foreach (var weight in settings.Mixture.Select(MixtureWeight.TryParse).OfType<MixtureWeight>())
        {
            // A source may tell parts apart: of the Pile's files each record says of which set it is.
            if (!names.Exists(name => weight.Source == name || weight.Source.StartsWith(name + '/', StringComparison.Ordinal)))
                throw new ElasticException($"corpus.mixture names {OneLine.Of(weight.Source, 100)}, of which the text {text.Folder} has "
                    + $"nothing to train on: it has {string.Join(", ", names.Take(30).Select(n => OneLine.Of(n, 60)))}");
        }
        return settings;
    }

    private static bool IsTrainedOn(BuildReport report, string source) =>
        Of(report.Kept, source) > Of(report.Validation, source) + Of(report.Test, source);

    private static long Of(IReadOnlyList<TextShare> shares, string source) => shares.Where(s => s.Name == source).Sum(s => s.Documents);

    /// <summary>The settings with the weights of the build that their text comes from, where they say nothing.</summary>
    /// <exception cref="ElasticException">
    /// The file is damaged, or the settings' weights name a source that the build does not have.
    /// </exception>
    public static CorpusSettings Apply(CorpusSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        if (settings.Sources is not [var source] || BuiltText.OfTextFolder(source) is not { } text)
            return settings;
        if (settings.Mixture.Count > 0)
            return Checked(settings, text);
        var path = Path.Combine(text.Folder, FileName);
        if (!File.Exists(path))
            return settings;
        var lines = Encoding.UTF8.GetString(RegularFile.Read(path, MostBytes)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return lines.All(line => MixtureWeight.TryParse(line) is not null) ? settings with { Mixture = lines }
            : throw new ElasticException($"{path} is damaged: build the text again with its manifest, or set corpus.mixture");
    }
}
