using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Storage;

namespace Elastic.Actors.Nodes;

/// <summary>
/// Lists of files of this node that builds of corpora ask for. A list is made once, off the mailbox, and served as a blob with the files
/// that it names until the process ends. Part of NodeAgent: used on its mailbox only.
/// </summary>
internal sealed class FileListings(NodeContext context, TimeProvider time)
{
    // Builds ask for a few at a time; what was forgotten is made anew.
    private const int MostKept = 64;

    // Who waits for a list asks every second, and after 15 s where the supervisors move.
    private static readonly TimeSpan Forgotten = TimeSpan.FromMinutes(2);

    private readonly Dictionary<(string Path, string List), Listing> _lists = [];
    private readonly Lock _gate = new();
    private BlobStore? _blobs;                                          // under the lock: lists are made at once

    /// <summary>What there is of a list by now: begins to make it where nobody has.</summary>
    public NodeReport.FilesListed Answer(NodeNews.ListFiles asked)
    {
        var key = (asked.Path, asked.List);
        if (!_lists.TryGetValue(key, out var list))
            _lists[key] = list = Begin(asked.Path);
        list.Asked = time.GetTimestamp();
        if (_lists.Count > MostKept)
            End(_lists.MinBy(l => l.Value.Asked).Key);
        var report = new NodeReport.FilesListed(context.Facts.Id, asked.Request, null, context.Facts.Endpoint, null);
        if (!list.Made.IsCompleted)
            return report;
        if (list.Made.IsCompletedSuccessfully)
            return report with { Listing = list.Made.Result };
        // Asked again, it is tried again: a path may be put there meanwhile.
        End(key);
        return report with { Why = OneLine.Of(WhyOf(list.Made.Exception?.InnerException), 600) };
    }

    /// <summary>Ends the making of lists that nobody waits for any more: each reads every byte that it names.</summary>
    public void EndForgotten()
    {
        foreach (var key in _lists.Where(l => !l.Value.Made.IsCompleted && time.GetElapsedTime(l.Value.Asked) > Forgotten)
            .Select(l => l.Key).ToList())
            End(key);
    }

    // The store, too, is made off the mailbox: a disk that is full must not end the node.
    private Listing Begin(string path)
    {
        var stop = new CancellationTokenSource();
        return new Listing(Task.Run(() => Make(path, stop.Token)), stop);
    }

    private void End((string, string) key)
    {
        _lists.Remove(key, out var list);
        list!.Stop.Cancel();
    }

    private BlobStore Store()
    {
        lock (_gate)
        {
            if (_blobs is null)
                context.Blobs.Add(_blobs = new BlobStore(Path.Combine(context.Paths.Builds, "listings")));
            return _blobs;
        }
    }

    private Digest Make(string path, CancellationToken stop)
    {
        var store = Store();
        return store.Put(NodeListing.Take(path, context.CorpusRoots, (digest, real, read) => context.Blobs.Add(digest, real, read), stop)
            .Write());
    }

    private static string WhyOf(Exception? failure) => failure switch
    {
        null => "the list was not made",
        _ when DiskSpace.IsExhausted(failure) => $"the node's disk is full ({failure.Message}): free some space there",
        _ => failure.Message,
    };

    private sealed class Listing(Task<Digest> made, CancellationTokenSource stop)
    {
        public Task<Digest> Made { get; } = made;

        public CancellationTokenSource Stop { get; } = stop;

        // When somebody asked for it last.
        public long Asked { get; set; }
    }
}
