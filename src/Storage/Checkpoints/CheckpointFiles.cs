using Elastic.Coordination;
using System.Globalization;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;

namespace Elastic.Storage;

/// <summary>The manifests in a run's checkpoint folder.</summary>
public static class CheckpointFiles
{
    private const string Begin = "round-", End = ".json";

    /// <summary>The paths of the folder's manifests, newest first.</summary>
    public static IReadOnlyList<string> In(string folder) => !Directory.Exists(folder)
        ? []
        : [.. Directory.EnumerateFiles(folder, Begin + "*" + End).Where(IsManifest).OrderByDescending(p => VersionOf(p)!.Value)];

    /// <summary>True where a file of this name is a manifest: a later one of the same name and length may say other things.</summary>
    public static bool IsManifest(string path) => VersionOf(path) is not null;

    /// <summary>
    /// The folder's manifests, newest first, each read when it is asked for; one that retention removes meanwhile is left out.
    /// </summary>
    public static IEnumerable<FoundCheckpoint> Read(string folder)
    {
        foreach (var path in In(folder))
        {
            FoundCheckpoint? read = null;
            try
            {
                read = new FoundCheckpoint(path, CheckpointManifest.Read(path), null);
            }
            catch (ElasticException e)
            {
                if (File.Exists(path))
                    read = new FoundCheckpoint(path, null, e.Message);
            }
            if (read is { } file)
                yield return file;
        }
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
        var path = Write(folder, describe(Path.GetRelativePath(folder, paths.Blobs(run))));
        return new Checkpoint(take.Version, take.Parameters, take.Fingerprint, take.InnerStates, take.TokensSeen, take.ChainHead, path);
    }

    /// <summary>Where the manifest of a run's version is, or would be.</summary>
    public static string PathOf(DataPaths paths, RunId run, int version)
    {
        ArgumentNullException.ThrowIfNull(paths);
        return Path.Combine(paths.Checkpoints(run), NameOf(version));
    }

    /// <summary>Writes a manifest, and the folder where there is none; returns its path.</summary>
    public static string Write(string folder, CheckpointManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, NameOf(manifest.Version));
        DurableFile.WriteDurably(path, manifest.ToBytes());
        return path;
    }

    /// <summary>
    /// Deletes other checkpoints than these, and blobs that nothing refers to. The newest checkpoint that is whole here stays, with its
    /// blobs, whatever is asked: an order that forgets it is mistaken or forged, and would leave the run nothing to go on from.
    /// </summary>
    /// <param name="versions">Versions of the checkpoints to keep.</param>
    /// <param name="sets">Vector sets to keep; blobs that were written for <paramref name="round"/> or a later one stay, too.</param>
    /// <param name="held">Further versions, which somebody reads, and which stay with all that they name; null for none.</param>
    /// <returns>What was freed, and the version that was not named and stays; null where it was named, or there is none.</returns>
    public static (Retention Freed, int? Unnamed) Retain(
        string folder, BlobStore blobs, IReadOnlyList<int> versions, IEnumerable<Digest> sets, int round,
        IReadOnlyList<int>? held = null)
    {
        ArgumentNullException.ThrowIfNull(blobs);
        ArgumentNullException.ThrowIfNull(versions);
        var newest = NewestWhole(folder, blobs);
        var read = Read(folder).Where(c => c.Manifest is { } manifest && held?.Contains(manifest.Version) == true).ToList();
        var keep = versions.Concat(held ?? []).Select(NameOf).Append(Path.GetFileName(newest?.Path)).ToHashSet();
        foreach (var path in In(folder).Where(p => !keep.Contains(Path.GetFileName(p))))
            File.Delete(path);
        var freed = blobs.Retain(
            sets.Concat(newest is null ? [] : SetsOf(newest.Value.Manifest)).Concat(read.SelectMany(c => SetsOf(c.Manifest!))), round);
        return (freed, newest?.Manifest.Version is { } version && !versions.Contains(version) ? version : null);
    }

    /// <summary>All blobs that a checkpoint stands for.</summary>
    /// <exception cref="ElasticException">Its manifest cannot be read.</exception>
    /// <exception cref="IOException">A set of it is missing or damaged, or cannot be read now.</exception>
    /// <exception cref="InvalidDataException">A set of it is none.</exception>
    internal static HashSet<Digest> BlobsOf(string folder, BlobStore blobs, int version)
    {
        var sets = SetsOf(CheckpointManifest.Read(Path.Combine(folder, NameOf(version)))).ToList();
        return sets.SelectMany(blobs.BlobsOf).Concat(sets).ToHashSet();
    }

    /// <summary>
    /// Deletes all checkpoints but this one, and all blobs but its own. A newer one goes, too: it is of rounds that the journal beside it
    /// has lost.
    /// </summary>
    /// <param name="own">From <see cref="BlobsOf"/>.</param>
    internal static void RetainOnly(string folder, BlobStore blobs, int version, HashSet<Digest> own)
    {
        var kept = Path.Combine(folder, NameOf(version));
        foreach (var path in In(folder).Where(p => p != kept))
            File.Delete(path);
        blobs.Collect(own, int.MaxValue);
    }

    private static (string Path, CheckpointManifest Manifest)? NewestWhole(string folder, BlobStore blobs)
    {
        foreach (var (path, manifest, _) in Read(folder))
        {
            try
            {
                if (manifest is not null && SetsOf(manifest).All(blobs.IsThere))
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

    private static string NameOf(int version) => $"{Begin}{version.ToString("D6", CultureInfo.InvariantCulture)}{End}";

    // Names have six digits, and more from round 1,000,000 on: their order as texts is not that of versions.
    internal static int? VersionOf(string path)
    {
        var name = Path.GetFileName(path);
        return name.Length > Begin.Length + End.Length
            && int.TryParse(name.AsSpan()[Begin.Length..^End.Length], NumberStyles.None, CultureInfo.InvariantCulture, out var version)
            && name == NameOf(version)
                ? version
                : null;
    }
}

/// <summary>A manifest file in a run's checkpoint folder.</summary>
/// <param name="Manifest">What it says; null where it cannot be read.</param>
/// <param name="Problem">Why it cannot be read, in a sentence; null where it can.</param>
public readonly record struct FoundCheckpoint(string Path, CheckpointManifest? Manifest, string? Problem);
