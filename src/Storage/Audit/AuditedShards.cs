using Elastic.Corpus;
using Elastic.Foundation;

namespace Elastic.Storage;

/// <summary>
/// The training shards of a corpus, of which some are open: each is a memory map, of which a process has some ten thousand at most, and a
/// large corpus has more shards than that. Not thread-safe.
/// </summary>
/// <param name="mostOpen">Shards that are open at once; the one that was read last stays the longest.</param>
internal sealed class AuditedShards(BuiltCorpus corpus, int mostOpen) : IDisposable
{
    /// <summary>Shards that are open at once: far fewer than a process may map, and all of a corpus of 32 billion tokens.</summary>
    public const int MostOpen = 2048;

    private readonly Dictionary<int, LinkedListNode<(int Index, TokenShard Shard)>> _open = [];
    private readonly LinkedList<(int Index, TokenShard Shard)> _byUse = [];                        // the one that was read last comes last

    /// <summary>Shards that are open now.</summary>
    public int Open => _open.Count;

    /// <summary>A shard, until the next one is asked for.</summary>
    /// <exception cref="ElasticException">It is missing or damaged.</exception>
    public TokenShard this[int index]
    {
        get
        {
            if (_open.TryGetValue(index, out var known))
            {
                _byUse.Remove(known);
                _byUse.AddLast(known);
                return known.Value.Shard;
            }
            if (_open.Count == mostOpen)
            {
                var (oldest, shard) = _byUse.First!.Value;
                _byUse.RemoveFirst();
                _open.Remove(oldest);
                shard.Dispose();
            }
            var opened = TokenShard.Open(corpus.ShardPath(corpus.TrainShards[index]));
            _open[index] = _byUse.AddLast((index, opened));
            return opened;
        }
    }

    /// <summary>Opens each of them once: one that is missing is found before hours of reading the others.</summary>
    /// <exception cref="ElasticException">One is missing or damaged.</exception>
    public void OpenEach(CancellationToken cancel)
    {
        for (var i = 0; i < corpus.TrainShards.Count; i++)
        {
            cancel.ThrowIfCancellationRequested();
            _ = this[i];
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (_, shard) in _byUse)
            shard.Dispose();
        _byUse.Clear();
        _open.Clear();
    }
}
