using Elastic.Coordination;
using System.Globalization;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;

namespace Elastic.Storage;

/// <summary>The manifests in a run's checkpoint folder.</summary>
public static class CheckpointFiles
{
    private const string Pattern = "round-*.json";

    /// <summary>Newest first.</summary>
    public static IReadOnlyList<string> In(string folder) => !Directory.Exists(folder)
        ? []
        : [.. Directory.EnumerateFiles(folder, Pattern).OrderDescending(StringComparer.Ordinal)];

    /// <summary>What the folder's manifests say, newest first; skips one that retention removes meanwhile.</summary>
    /// <exception cref="ElasticException">One of them cannot be read.</exception>
    public static IReadOnlyList<(string Path, CheckpointManifest Manifest)> Read(string folder)
    {
        var found = new List<(string, CheckpointManifest)>();
        foreach (var path in In(folder))
        {
            try
            {
                found.Add((path, CheckpointManifest.Read(path)));
            }
            catch (ElasticException) when (!File.Exists(path))
            {
                continue;
            }
        }

        return found;
    }

    /// <summary>Forces what the checkpoint names onto the disk, then writes its manifest.</summary>
    /// <param name="describe">The manifest, given the path of the blob folder relative to the manifest's.</param>
    public static Checkpoint Take(
        DataPaths paths, RunId run, BlobStore blobs, TakeCheckpoint take, Func<string, CheckpointManifest> describe)
    {
        ArgumentNullException.ThrowIfNull(paths);
        ArgumentNullException.ThrowIfNull(blobs);
        ArgumentNullException.ThrowIfNull(take);
        ArgumentNullException.ThrowIfNull(describe);
        blobs.FlushSets([take.Parameters, .. take.InnerStates]);
        var folder = paths.Checkpoints(run);
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, NameOf(take.Version));
        DurableFile.WriteDurably(path, describe(Path.GetRelativePath(folder, paths.Blobs(run))).ToBytes());
        return new Checkpoint(take.Version, take.Parameters, take.Fingerprint, take.InnerStates, take.TokensSeen, take.ChainHead, path);
    }

    public static void Retain(string folder, IReadOnlyList<int> versions)
    {
        var keep = versions.Select(NameOf).ToHashSet();
        foreach (var path in In(folder).Where(p => !keep.Contains(Path.GetFileName(p))))
            File.Delete(path);
    }

    private static string NameOf(int version) => $"round-{version.ToString("D6", CultureInfo.InvariantCulture)}.json";
}
