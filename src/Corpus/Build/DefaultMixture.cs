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

    private static bool IsTrainedOn(BuildReport report, string source) =>
        Of(report.Kept, source) > Of(report.Validation, source) + Of(report.Test, source);

    private static long Of(IReadOnlyList<TextShare> shares, string source) => shares.Where(s => s.Name == source).Sum(s => s.Documents);

    /// <summary>The settings with the weights of the build that their text comes from, where they say nothing.</summary>
    /// <exception cref="ElasticException">The file is damaged.</exception>
    public static CorpusSettings Apply(CorpusSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        if (settings.Mixture.Count > 0 || settings.Sources is not [var source] || BuiltText.OfTextFolder(source) is not { } text)
            return settings;
        var path = Path.Combine(text.Folder, FileName);
        if (!File.Exists(path))
            return settings;
        if (settings.Order == CorpusOrder.Stream)
            throw new ElasticException($"corpus.order = stream reads each source once, and {path} has the weights of the manifest, for "
                + "which the lengths of all sources must be known: use corpus.order = shuffle, or build the text without weights");
        var lines = Encoding.UTF8.GetString(RegularFile.Read(path, MostBytes)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return lines.All(line => MixtureWeight.TryParse(line) is not null) ? settings with { Mixture = lines }
            : throw new ElasticException($"{path} is damaged: build the text again with its manifest, or set corpus.mixture");
    }
}
