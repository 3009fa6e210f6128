using System.Text.RegularExpressions;
using Elastic.Foundation;
using Elastic.ObjectStore;

namespace Elastic.Storage;

/// <summary>
/// A backup below a prefix of an S3-compatible store, under the names that it has in a folder: what a tool copies from there to a folder is
/// a backup, too. A prefix belongs to one data directory.
/// </summary>
public sealed partial class BackupBucket : BackupPlace, IDisposable
{
    private const string Journal = "journal.db";

    // A backup has a file for each 16 MiB of weights and moments.
    private const int MostObjects = 10_000_000;

    private readonly S3Address _address;
    private readonly S3Bucket _bucket;
    private readonly string _prefix;
    private readonly Dictionary<string, long> _there = new(StringComparer.Ordinal);
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private StagingFolder? _staging;

    /// <param name="address">Address of a prefix.</param>
    /// <param name="pause">Between attempts; null for the usual pauses.</param>
    public BackupBucket(S3Address address, Backoff? pause = null)
    {
        ArgumentNullException.ThrowIfNull(address);
        (_address, _prefix) = (address, address.Folder);
        _bucket = pause is { } given ? new S3Bucket(address) { Pause = given } : new S3Bucket(address);
    }

    /// <summary>The backup at an address.</summary>
    /// <exception cref="ElasticException">It cannot be the address of one.</exception>
    public static BackupBucket At(string address) => new(S3Address.PrefixOf(address, "a backup"));

    /// <inheritdoc/>
    public override string ToString() => $"{_address}";

    /// <inheritdoc/>
    public override async Task BeginAsync(CancellationToken cancel)
    {
        _used.Clear();
        _there.Clear();
        await foreach (var found in ListAsync(cancel))
            _there[found.Name] = found.Object.Bytes;
    }

    /// <inheritdoc/>
    public override async Task<BackupManifest?> EarlierAsync(CancellationToken cancel) =>
        _there.ContainsKey(BackupManifest.FileName) ? await ReadManifestAsync(cancel) : null;

    /// <inheritdoc/>
    public override string JournalCopy() =>
        Path.Combine((_staging ??= StagingFolder.Make("elastic-backup-")).Path, Path.GetRandomFileName());

    /// <inheritdoc/>
    public override bool Has(string path, string name) =>
        !CheckpointFiles.IsManifest(name) && _there.TryGetValue(name, out var length) && length == new FileInfo(path).Length;

    /// <inheritdoc/>
    public override bool Holds(string name) => _there.ContainsKey(name);

    /// <inheritdoc/>
    public override async Task CopyAsync(string path, string name, CancellationToken cancel)
    {
        var bytes = new FileInfo(path).Length;
        _used.Add(name);
        if (Has(path, name))
            return;
        await _bucket.PutAsync(_prefix + name, path, cancel);
        _there[name] = bytes;
    }

    /// <inheritdoc/>
    public override async Task CompleteAsync(string? journal, BackupManifest manifest, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        if (journal is not null)
            await _bucket.PutAsync(_prefix + Journal, journal, cancel);
        await _bucket.PutAsync(_prefix + BackupManifest.FileName, manifest.ToBytes(), cancel);
        var runs = manifest.Runs.Where(r => r.Checkpoint is not null).Select(r => $"runs/{r.Run}/").ToList();
        var old = _there.Keys.Where(n => !_used.Contains(n) && runs.Exists(r => n.StartsWith(r, StringComparison.Ordinal))).ToList();
        await InParallelAsync(old, name => _bucket.DeleteAsync(_prefix + name, cancel), cancel);
    }

    /// <summary>The manifest that is there.</summary>
    /// <exception cref="ElasticException">There is no backup.</exception>
    public async Task<BackupManifest> ReadManifestAsync(CancellationToken cancel)
    {
        try
        {
            return BackupManifest.Parse(
                await _bucket.ReadAsync(_prefix + BackupManifest.FileName, BackupManifest.LargestFile, cancel), $"{_address}");
        }
        catch (ObjectStoreException e) when (e.Problem == StoreProblem.Missing)
        {
            throw new ElasticException($"{_address} is no backup, or one that was not made to its end (there is no "
                + $"{BackupManifest.FileName}): name the address that elastic backup --out or node.backup-store has", e);
        }
    }

    /// <summary>
    /// Fetches the backup into a folder, which is a backup then: what is there of an earlier attempt is used. Nothing is compared with its
    /// digest yet; <see cref="DataRestore"/> does.
    /// </summary>
    /// <exception cref="ElasticException">There is no backup, or another one takes its place meanwhile.</exception>
    public async Task FetchAsync(string folder, CancellationToken cancel)
    {
        var manifest = await ReadManifestAsync(cancel);
        Directory.CreateDirectory(folder);
        File.Delete(Path.Combine(folder, BackupManifest.FileName));
        var found = new List<(string Name, StoredObject Object)>();
        await foreach (var file in ListAsync(cancel))
        {
            if (file.Name != BackupManifest.FileName)
                found.Add(file);
        }

        var names = found.Select(f => Path.Combine(folder, f.Name)).ToHashSet(StringComparer.Ordinal);
        foreach (var other in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(f => !names.Contains(f)).ToList())
            File.Delete(other);
        await InParallelAsync(found, file => TakeAsync(file.Name, file.Object, folder, cancel), cancel);
        DurableFile.WriteDurably(Path.Combine(folder, BackupManifest.FileName), manifest.ToBytes());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _bucket.Dispose();
        _staging?.Dispose();
    }

    // A journal or a manifest of the same length may be another one: they are fetched each time. All else has its name from its content.
    private async Task TakeAsync(string name, StoredObject found, string folder, CancellationToken cancel)
    {
        var path = Path.Combine(folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        if (name == Journal || CheckpointFiles.IsManifest(name))
            File.Delete(path);
        await _bucket.FetchAsync(found, null, path, cancel);
    }

    // Only what is of a backup: a name from elsewhere must not lead out of the folder that it is fetched into.
    private async IAsyncEnumerable<(string Name, StoredObject Object)> ListAsync(
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        var count = 0;
        await foreach (var found in _bucket.ListAsync(_prefix, cancel))
        {
            if (++count > MostObjects)
                throw new ElasticException($"{_address} holds more than {MostObjects} objects, which is no backup: name another prefix");
            if (OfABackup().IsMatch(found.Key[_prefix.Length..]))
                yield return (found.Key[_prefix.Length..], found);
        }
    }

    private static Task InParallelAsync<T>(IEnumerable<T> items, Func<T, Task> act, CancellationToken cancel) => Parallel.ForEachAsync(
        items, new ParallelOptions { MaxDegreeOfParallelism = S3Bucket.AtOnce, CancellationToken = cancel },
        async (item, _) => await act(item));

    [GeneratedRegex(
        @"\A(backup\.json|journal\.db|corpora/[0-9a-f]{64}/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}|runs/[A-Za-z0-9_-][A-Za-z0-9_.:-]{0,199}/"
        + @"(blobs/[0-9a-f]{2}/[0-9a-f]{64}|checkpoints/round-[0-9]{6,10}\.json|tokenizer\.json))\z",
        RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex OfABackup();
}
