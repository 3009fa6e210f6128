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

    /// <summary>
    /// Deletes other checkpoints than these, and blobs that nothing refers to. The newest checkpoint that is whole here stays, with its
    /// blobs, whatever is asked: an order that forgets it is mistaken or forged, and would leave the run nothing to go on from.
    /// </summary>
    /// <param name="versions">Versions of the checkpoints to keep.</param>
    /// <param name="sets">Vector sets to keep; blobs that were written for <paramref name="round"/> or a later one stay, too.</param>
    /// <returns>What was freed, and the version that was not named and stays; null where it was named, or there is none.</returns>
    public static (Retention Freed, int? Unnamed) Retain(
        string folder, BlobStore blobs, IReadOnlyList<int> versions, IEnumerable<Digest> sets, int round)
    {
        ArgumentNullException.ThrowIfNull(blobs);
        ArgumentNullException.ThrowIfNull(versions);
        var newest = NewestWhole(folder, blobs);
        var keep = versions.Select(NameOf).Append(Path.GetFileName(newest?.Path)).ToHashSet();
        foreach (var path in In(folder).Where(p => !keep.Contains(Path.GetFileName(p))))
            File.Delete(path);
        var freed = blobs.Retain(newest is null ? sets : sets.Concat(SetsOf(newest.Value.Manifest)), round);
        return (freed, newest?.Manifest.Version is { } version && !versions.Contains(version) ? version : null);
    }

    private static (string Path, CheckpointManifest Manifest)? NewestWhole(string folder, BlobStore blobs)
    {
        foreach (var path in In(folder))
        {
            try
            {
                var manifest = CheckpointManifest.Read(path);
                if (SetsOf(manifest).All(blobs.IsThere))
                    return (path, manifest);
            }
            catch (Exception e) when (e is ElasticException or InvalidDataException)
            {
                continue;                                              // damaged: nothing goes on from it
            }
        }

        return null;
    }

    private static IEnumerable<Digest> SetsOf(CheckpointManifest manifest) =>
        manifest.InnerStates.Prepend(manifest.Parameters).Select(hex => new Digest(hex));

    private static string NameOf(int version) => $"round-{version.ToString("D6", CultureInfo.InvariantCulture)}.json";
}
