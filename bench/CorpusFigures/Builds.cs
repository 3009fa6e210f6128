using System.Text.Json;
using Elastic.Corpus.Build;
using Elastic.Messages.Settings;

namespace Elastic.CorpusFigures;

/// <summary>Builds of texts that are made here, through the shipped builder.</summary>
internal static class Builds
{
    /// <summary>What became of each text.</summary>
    /// <param name="folder">Takes the texts and the build.</param>
    /// <param name="settings">Of the stage near-duplicates.</param>
    public static List<BuiltDocument> Of(string folder, IEnumerable<string> texts, params (string Key, string Value)[] settings)
    {
        var stage = StageKinds.Find("near-duplicates")!;
        var manifest = BuildManifest.Of(
            [[Text("source.name", "all"), Text("source.paths", Write(folder, texts), isList: true)]],
            [(stage, [.. settings.Select(s => Text($"near-duplicates.{s.Key}", s.Value))])]);
        return [.. new CorpusBuilder(manifest, new PieceStore(Path.Combine(folder, "pieces")), Path.Combine(folder, "texts"))
            .Run(1, null, CancellationToken.None).Rows()];
    }

    /// <summary>A file of records, a text each.</summary>
    public static string Write(string folder, IEnumerable<string> texts)
    {
        var path = Path.Combine(folder, "all.jsonl");
        File.WriteAllLines(path, texts.Select(text => JsonSerializer.Serialize(new { text })));
        return path;
    }

    private static SettingText Text(string key, string value, bool isList = false) => new(key, [value], isList, "the benchmark");
}
