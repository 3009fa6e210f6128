using Elastic.Corpus;
using Elastic.Foundation;

namespace Elastic.Storage;

/// <summary>
/// The training shards of a corpus, each of which is opened, and each of its pages checked, once. Samples lie in any order over all shards:
/// of a corpus that has more shards than a process may map, what is not mapped is read without a map. Not thread-safe.
/// </summary>
/// <param name="mostMapped">Shards that are mapped, the first ones.</param>
internal sealed class AuditedShards(BuiltCorpus corpus, int mostMapped) : IDisposable
{
    /// <summary>
    /// Shards that are mapped: all of a corpus of 32 billion tokens. Each takes a descriptor, and up to 64 KiB of page tables. A block of
    /// what is not mapped takes some 10 µs in place of 4; where shards were mapped when they were asked for, it took 50 to 100.
    /// </summary>
    public const int MostMapped = 2048;

    private readonly TokenShard?[] _shards = new TokenShard?[corpus.TrainShards.Count];

    private TokenShard? _last;

    /// <summary>How often a shard was opened.</summary>
    public int Openings { get; private set; }

    /// <summary>A shard, until the next one is asked for.</summary>
    /// <exception cref="ElasticException">It is missing or damaged.</exception>
    public TokenShard this[int index]
    {
        get
        {
            if (_shards[index] is not { } shard)
            {
                Openings++;
                var path = corpus.ShardPath(corpus.TrainShards[index]);
                shard = _shards[index] = index < mostMapped ? TokenShard.Open(path) : TokenShard.OpenUnmapped(path);
            }
            // A sample is several readings of one shard.
            if (_last != shard)
                _last?.Rest();
            return _last = shard;
        }
    }

    /// <summary>Opens each of them: one that is missing is found before hours of reading the others.</summary>
    /// <exception cref="ElasticException">One is missing or damaged.</exception>
    public void OpenEach(CancellationToken cancel)
    {
        for (var i = 0; i < _shards.Length; i++)
        {
            cancel.ThrowIfCancellationRequested();
            _ = this[i];
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var shard in _shards)
            shard?.Dispose();
    }
}
