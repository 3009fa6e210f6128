using Elastic.Foundation;

namespace Elastic.ObjectStore;

/// <summary>
/// Stores the files of a folder below a prefix, one of them last: where that one is, all the others are, and they are those that belong to
/// it. An upload that was broken off goes on with the files that the store lacks. Where all of it is there, nothing is overwritten.
/// </summary>
public sealed class FolderUpload : IDisposable
{
    private readonly S3Address _address;
    private readonly S3Bucket _bucket;

    private FolderUpload(S3Address address, Backoff? pause) =>
        (_address, _bucket) = (address, pause is { } given ? new S3Bucket(address) { Pause = given } : new S3Bucket(address));

    /// <param name="address">Address of the prefix.</param>
    /// <param name="ofWhat">What is to be stored, for messages: "a model".</param>
    /// <param name="pause">Between attempts; null for the usual pauses.</param>
    /// <exception cref="ElasticException">It is no address of a prefix.</exception>
    public static FolderUpload To(string address, string ofWhat, Backoff? pause = null) =>
        new(S3Address.PrefixOf(address, ofWhat), pause);

    /// <inheritdoc/>
    public override string ToString() => $"{_address}";

    /// <summary>Says whether the store can be asked at all, before anybody makes what is to be stored.</summary>
    /// <exception cref="ObjectStoreException">The store does not list the prefix.</exception>
    public async Task CheckAsync(CancellationToken cancel)
    {
        await foreach (var _ in _bucket.ListAsync(_address.Folder, cancel))
            break;
    }

    /// <summary>A file of what is stored, for messages.</summary>
    /// <param name="name">Its path in the folder, with '/'.</param>
    public string Named(string name) => _address.Named(_address.Folder + name);

    /// <summary>Stores all files of a folder, with those of the folders in it.</summary>
    /// <param name="last">The file that makes the others complete: its path in the folder, with '/'.</param>
    /// <param name="mayStay">Which other names below the prefix are passed over; null for none.</param>
    /// <returns>How many files the store has taken, and how many it had.</returns>
    /// <exception cref="ObjectStoreException">The store does not take one.</exception>
    /// <exception cref="ElasticException">Something else is below the prefix.</exception>
    public async Task<(int Stored, int Had)> RunAsync(
        string folder, string last, CancellationToken cancel, Func<string, bool>? mayStay = null)
    {
        var files = Directory.GetFiles(folder, "*", SearchOption.AllDirectories).ToDictionary(
            f => Path.GetRelativePath(folder, f).Replace('\\', '/'), f => new FileInfo(f), StringComparer.Ordinal);
        var there = new Dictionary<string, long>(StringComparer.Ordinal);
        await foreach (var found in _bucket.ListAsync(_address.Folder, cancel))
        {
            var name = found.Key[_address.Folder.Length..];
            // Some programs mark folders by objects without a name.
            if (name.Length == 0 || (!files.ContainsKey(name) && mayStay?.Invoke(name) == true))
                continue;
            if (!files.ContainsKey(name))
                throw new ElasticException($"{_address.Named(found.Key)} is there already and is no file of what is to be stored, and "
                    + $"nothing is overwritten: name another prefix than {_address}, or delete there what nobody needs");
            there[name] = found.Bytes;
        }

        var stored = 0;
        var isWhole = there.ContainsKey(last);
        await Parallel.ForEachAsync(
            files.Where(f => f.Key != last),
            new ParallelOptions { MaxDegreeOfParallelism = S3Bucket.AtOnce, CancellationToken = cancel },
            async (file, stop) => Interlocked.Add(ref stored, await StoreAsync(file.Key, file.Value, there, isWhole, stop) ? 1 : 0));
        stored += await StoreAsync(last, files[last], there, isWhole, cancel) ? 1 : 0;
        return (stored, files.Count - stored);
    }

    /// <inheritdoc/>
    public void Dispose() => _bucket.Dispose();

    // False where the store has it. The digest decides: weights of another round have the same length.
    private async Task<bool> StoreAsync(
        string name, FileInfo file, Dictionary<string, long> there, bool isWhole, CancellationToken cancel)
    {
        var (key, digest) = (_address.Folder + name, await ObjectFolder.HashAsync(file.FullName, cancel));
        if (there.TryGetValue(name, out var bytes) && bytes == file.Length
            && (await _bucket.FindAsync(key, null, cancel)).Digest == digest)
            return false;
        if (isWhole)
            throw new ElasticException($"{_address} holds something else already ({_address.Named(key)} differs), and nothing is "
                + "overwritten: name another prefix, or delete that one first");
        await _bucket.PutAsync(key, file.FullName, digest, cancel);
        return true;
    }
}
