using Elastic.Corpus;

namespace Elastic.Actors.Corpora;

/// <summary>
/// The shards that are open in this process: each once, for as long as somebody reads it, and a few more for whoever comes back. A shard is
/// a memory map: a process has some ten thousand at most, and a deleted file keeps its place on the disk while it is mapped. Thread-safe.
/// </summary>
internal sealed class OpenShards
{
    /// <summary>
    /// Shards that stay open without a reader. A node that reads in place of a reader which is gone asks for a few shards again and again,
    /// a block each time.
    /// </summary>
    public const int MostIdle = 16;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Entry> _all = [];
    private readonly LinkedList<Entry> _idle = [];                      // the one that was used last comes last

    /// <summary>Takes a shard; one that is being opened is waited for.</summary>
    /// <param name="path">Names it.</param>
    /// <param name="open">Opens it where it is not open.</param>
    /// <returns>To be disposed of when it has been read.</returns>
    public async Task<ShardLease> TakeAsync(string path, Func<Task<TokenShard>> open)
    {
        Entry? entry;
        lock (_gate)
        {
            if (!_all.TryGetValue(path, out entry))
                _all[path] = entry = new Entry(path, new Lazy<Task<TokenShard>>(open));
            if (entry.Users++ == 0)
                _idle.Remove(entry);
        }
        try
        {
            var shard = entry.Shard = await entry.Opening.Value;
            return new ShardLease(shard, () => GiveBack(entry));
        }
        catch
        {
            lock (_gate)
            {
                if (_all.GetValueOrDefault(path) == entry)
                    _all.Remove(path);                                 // the next call tries again
            }
            throw;
        }
    }

    /// <summary>Closes the shards of a folder that is deleted, those that are read when they have been read.</summary>
    public void Forget(string folder)
    {
        List<Entry> closed;
        lock (_gate)
        {
            var forgotten = _all.Values.Where(e => Path.GetDirectoryName(e.Path) == folder).ToList();
            foreach (var entry in forgotten)
            {
                _all.Remove(entry.Path);
                _idle.Remove(entry);
                entry.IsForgotten = true;
            }
            closed = forgotten.FindAll(e => e.Users == 0);
        }
        closed.ForEach(e => e.Shard?.Dispose());
    }

    private void GiveBack(Entry entry)
    {
        Entry? oldest = null;
        lock (_gate)
        {
            if (--entry.Users > 0)
                return;
            if (entry.IsForgotten)
                oldest = entry;
            else
                _idle.AddLast(entry);
            if (_idle.Count > MostIdle)
            {
                oldest = _idle.First!.Value;
                _idle.RemoveFirst();
                _all.Remove(oldest.Path);
            }
        }
        oldest?.Shard?.Dispose();
    }

    private sealed class Entry(string path, Lazy<Task<TokenShard>> opening)
    {
        public string Path => path;

        public Lazy<Task<TokenShard>> Opening => opening;

        // Set before anybody has it.
        public TokenShard? Shard { get; set; }

        public int Users { get; set; }

        public bool IsForgotten { get; set; }
    }
}

/// <summary>A shard that stays open until this is disposed of.</summary>
internal sealed class ShardLease(TokenShard tokens, Action giveBack) : IDisposable
{
    private int _isOver;

    public TokenShard Tokens => tokens;

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isOver, 1) == 0)
            giveBack();
    }
}
