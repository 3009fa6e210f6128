using System.Security.Cryptography;
using System.Text;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.ObjectStore;

namespace Elastic.Corpus;

/// <summary>The files of the nodes of a cluster, for a build that reads some of them.</summary>
public interface ISourceNodes
{
    /// <summary>What a node has below a path.</summary>
    /// <exception cref="ElasticException">There is no such node, or it does not let others read that.</exception>
    Task<NodeListing> ListAsync(NodePath path, CancellationToken cancel);

    /// <summary>Fetches a file of the node, and checks its bytes.</summary>
    /// <param name="into">The file that appears when it is whole.</param>
    /// <exception cref="ElasticException">The node does not give it.</exception>
    Task FetchAsync(NodePath path, ListedFile file, string into, CancellationToken cancel);
}

/// <summary>
/// Brings the files of a source that are on another node into a folder, each named by its digest: those that are there already are not
/// fetched again, and what the node has no more goes.
/// </summary>
/// <param name="folder">Holds a folder for each path.</param>
/// <param name="notice">Is told of what was fetched.</param>
internal sealed class NodeFiles(string folder, ISourceNodes nodes, Action<string> notice)
{
    // A node's disk and its link are busy with as many.
    private const int AtOnce = 4;

    private const int UnreadSaid = 20;

    /// <summary>Fetches a file, or all below a folder that the source wants.</summary>
    /// <returns>The file or the folder, and a line for each file that cannot be had, and for what is passed over.</returns>
    /// <exception cref="ElasticException">The node does not give them.</exception>
    public async Task<(string Path, IReadOnlyList<string> Rejects)> GetAsync(
        NodePath path, SourceSettings source, CancellationToken cancel)
    {
        var listing = await nodes.ListAsync(path, cancel);
        // Of the source, too: another one may want other files of the same folder.
        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{source.Name} {path}")))[..16];
        var place = new ObjectFolder(Path.Combine(folder, name));
        var search = new ObjectSearch(source);
        foreach (var file in listing.Files)
            search.Add(file.Name, new StoredObject(file.Name, file.Bytes, file.Sha256));
        List<string> unread =
        [
            .. listing.Unread.Order(StringComparer.Ordinal),
            .. search.Unusable.Order(StringComparer.Ordinal).Select(file => $"{file} has a name that no file can have here: rename it"),
        ];
        if (source.OnReject == RejectPolicy.Stop && unread.Count > 0)
            throw new ElasticException($"source {source.Name}: {path}: {unread[0]}");
        // A text is named after what could not be read of its sources, and not after where they lie: people hear of that here.
        foreach (var line in unread.Take(UnreadSaid))
            notice($"source {source.Name}: {path}: {line}");
        if (unread.Count > UnreadSaid)
            notice($"source {source.Name}: {path}: and {unread.Count - UnreadSaid} more, which rejects.txt names");
        List<string> rejects = [.. unread.Select(line => $"source {source.Name}: {line}")];
        if (search.Found.Count == 0)
            throw new ElasticException(
                $"{path} holds no file that the source {source.Name} reads ({listing.Files.Count} are there): mend the path, include or "
                + "exclude");
        if (search.PassedOver.ToString() is { Length: > 0 } passedOver)
            rejects.Add($"source {source.Name}: {passedOver}");
        place.Retain(search.Found);
        var (fetched, bytes) = (0, 0L);
        await Parallel.ForEachAsync(
            search.Found, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel }, async (file, stop) =>
            {
                var digest = new Digest(file.Value.ETag);
                if (await place.HasAsync(file.Key, file.Value, digest, stop))
                    return;
                if (file.Value.Bytes > (long)source.LargestDownloadGiB << 30)
                    throw new ElasticException(
                        $"{path}/{file.Key} has {file.Value.Bytes} bytes: set largest-download of its source, if it may");
                var part = place.PartOf(file.Value);
                await nodes.FetchAsync(path, new ListedFile(file.Key, file.Value.Bytes, digest.Hex), part, stop);
                place.Keep(file.Key, file.Value, digest, part);
                Interlocked.Increment(ref fetched);
                Interlocked.Add(ref bytes, file.Value.Bytes);
            });
        if (fetched > 0)
            notice($"fetched {fetched} of {search.Found.Count} files of {path}, {ByteSize.Text(bytes)}");
        return (listing.IsFile ? place.FileOf(search.Found.Keys.First()) : place.Files, rejects);
    }
}
