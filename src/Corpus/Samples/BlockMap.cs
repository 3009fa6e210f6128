using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus;

/// <summary>Numbers the samples ("blocks") of several shards from 0 on, shard after shard. None spans two shards.</summary>
public sealed class BlockMap
{
    // _ends[i] is the number of blocks in shards 0..i.
    private readonly long[] _ends;

    /// <param name="shards">In the order of the manifest.</param>
    /// <exception cref="ElasticException">The shards have no block.</exception>
    public BlockMap(IReadOnlyList<ShardInfo> shards, SampleCut cut)
    {
        ArgumentNullException.ThrowIfNull(shards);
        ArgumentNullException.ThrowIfNull(cut);
        ArgumentOutOfRangeException.ThrowIfLessThan(cut.Context, 1);
        Cut = cut;
        _ends = new long[shards.Count];
        var blocks = 0L;
        for (var i = 0; i < _ends.Length; i++)
            _ends[i] = blocks += cut.CountIn(shards[i]);
        if (blocks == 0)
            throw new ElasticException(None(shards, cut));
        Blocks = blocks;
    }

    /// <summary>How they lie in a shard.</summary>
    public SampleCut Cut { get; }

    /// <summary>Blocks in all shards together, at least 1.</summary>
    public long Blocks { get; }

    /// <summary>
    /// Blocks in <paramref name="tokens"/> consecutive tokens: consecutive blocks share one token, the last target of the first and the
    /// first input of the next.
    /// </summary>
    public static int CountIn(long tokens, int context) => tokens < 2 ? 0 : checked((int)((tokens - 1) / context));

    /// <summary>The shard (index into the list this map was made of) that holds a block, and the block's number inside it.</summary>
    public (int Shard, int Block) Locate(long block)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(block);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(block, Blocks);
        // The first shard whose end is beyond the block; shards without a block repeat the end before them and are skipped.
        var (low, high) = (0, _ends.Length - 1);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_ends[middle] > block)
                high = middle;
            else
                low = middle + 1;
        }
        return (low, (int)(block - FirstOf(low)));
    }

    /// <summary>The first block of a shard.</summary>
    internal long FirstOf(int shard) => shard == 0 ? 0 : _ends[shard - 1];

    /// <summary>Blocks of a shard.</summary>
    internal long BlocksOf(int shard) => _ends[shard] - FirstOf(shard);

    private static string None(IReadOnlyList<ShardInfo> shards, SampleCut cut)
    {
        if (cut.Kind != SampleKind.Blocks && shards.Any(s => !s.ListsDocuments))
            return $"corpus.samples = {cut.Kind.ToString().ToLowerInvariant()}: the shards of this corpus do not say " +
                   "where their documents begin (shards of llm.c); use corpus.samples = blocks";
        var context = cut.Context;
        var longest = shards.Count == 0 ? 0 : shards.Max(s => s.Tokens);
        return longest < 2
            ? $"samples of {context} tokens: there is no text to read, the longest shard has {longest} tokens; " +
              "add documents to corpus.sources"
            : $"samples of {context} tokens are longer than the documents: the longest shard has {longest} tokens; " +
              $"use corpus.sample-tokens = {longest - 1} or less, or add documents to corpus.sources";
    }
}
