using System.Globalization;
using Elastic.Actors.Blobs;
using Elastic.Actors.Nodes;
using Elastic.Corpus;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Checkpoints;

/// <summary>The manifests in a run's checkpoint folder.</summary>
public static class CheckpointFiles
{
    private const string Pattern = "round-*.json";

    /// <summary>Newest first.</summary>
    public static IReadOnlyList<string> In(string folder) => !Directory.Exists(folder)
        ? []
        : [.. Directory.EnumerateFiles(folder, Pattern).OrderDescending(StringComparer.Ordinal)];

    internal static Checkpoint Take(NodeRun run, NodeCommand.TakeCheckpoint take)
    {
        run.Blobs.FlushSets([take.Parameters, .. take.InnerStates]);
        var folder = run.Paths.Checkpoints(run.Id);
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, NameOf(take.Version));
        var manifest = new CheckpointManifest(
            1, run.Id.Value, take.Version, run.Settings.Model.Signature, run.SettingsCanonical, run.CorpusId.Hex, run.Corpus.Manifest.Tokenizer,
            take.Fingerprint.Hex, take.Parameters.Hex, [.. take.InnerStates.Select(s => s.Hex)], take.TokensSeen, take.Ledger.Hex,
            Path.GetRelativePath(folder, run.Paths.Blobs(run.Id)));
        DurableFile.WriteDurably(path, manifest.ToBytes());
        return new Checkpoint(take.Version, take.Parameters, take.Fingerprint, take.InnerStates, take.TokensSeen, take.Ledger, path);
    }

    internal static void Retain(string folder, IReadOnlyList<int> versions)
    {
        var keep = versions.Select(NameOf).ToHashSet();
        foreach (var path in In(folder).Where(p => !keep.Contains(Path.GetFileName(p))))
            File.Delete(path);
    }

    private static string NameOf(int version) => $"round-{version.ToString("D6", CultureInfo.InvariantCulture)}.json";
}
