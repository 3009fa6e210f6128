using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Storage;

namespace Elastic.Actors.Nodes;

/// <summary>
/// Lists of files of this node that builds of corpora ask for. A list is made once, off the mailbox, and served as a blob with the files
/// that it names until the process ends. Part of NodeAgent: used on its mailbox only.
/// </summary>
internal sealed class FileListings(NodeContext context)
{
    // Builds ask for a few at a time; what was forgotten is made anew.
    private const int MostKept = 64;

    private readonly Dictionary<(string Path, string List), Task<Digest>> _lists = [];
    private readonly Queue<(string, string)> _order = [];
    private BlobStore? _blobs;

    /// <summary>What there is of a list by now: begins to make it where nobody has.</summary>
    public NodeReport.FilesListed Answer(NodeNews.ListFiles asked)
    {
        var key = (asked.Path, asked.List);
        if (!_lists.TryGetValue(key, out var list))
            Keep(key, list = Task.Run(() => Make(asked.Path, Store())));
        var report = new NodeReport.FilesListed(context.Facts.Id, asked.Request, null, context.Facts.Endpoint, null);
        if (!list.IsCompleted)
            return report;
        if (list.IsCompletedSuccessfully)
            return report with { Listing = list.Result };
        // Asked again, it is tried again: a path may be put there meanwhile.
        _lists.Remove(key);
        return report with { Why = OneLine.Of(list.Exception?.InnerException?.Message ?? "the list was not made", 600) };
    }

    private void Keep((string, string) key, Task<Digest> list)
    {
        _lists[key] = list;
        _order.Enqueue(key);
        while (_order.Count > MostKept)
            _lists.Remove(_order.Dequeue());
    }

    private BlobStore Store()
    {
        if (_blobs is null)
            context.Blobs.Add(_blobs = new BlobStore(Path.Combine(context.Paths.Builds, "listings")));
        return _blobs;
    }

    private Digest Make(string path, BlobStore store) => store.Put(
        NodeListing.Take(path, context.CorpusRoots, context.Blobs.Add, CancellationToken.None).Write());
}
