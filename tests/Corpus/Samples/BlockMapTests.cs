using CsCheck;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests;

public class BlockMapTests
{
    [Fact]
    public void A_context_longer_than_the_documents_names_the_largest_that_fits()
    {
        var error = Assert.Throws<ElasticException>(() => new BlockMap([Shard(100), Shard(500)], new SampleCut(SampleKind.Blocks, 500)));
        Assert.Contains("samples of 500 tokens are longer than the documents", error.Message, StringComparison.Ordinal);
        Assert.Contains("use corpus.sample-tokens = 499 or less", error.Message, StringComparison.Ordinal);
        Assert.Equal(1, new BlockMap([Shard(100), Shard(500)], new SampleCut(SampleKind.Blocks, 499)).Blocks);
    }

    [Fact]
    public void No_shards_at_all_is_an_error() =>
        Refusal.Says("no text", () => new BlockMap([], new SampleCut(SampleKind.Blocks, 8)));

    [Fact]
    public void Every_block_is_found_once_and_shards_too_short_for_one_are_passed_over() =>
        Gen.Select(Gen.Int[0, 60].Array[1, 8], Gen.Int[1, 20]).Sample((sizes, context) =>
        {
            var expected =
                (from shard in Enumerable.Range(0, sizes.Length)
                 from block in Enumerable.Range(0, Math.Max(0, (sizes[shard] - 1) / context))
                 select (shard, block)).ToList();
            if (expected.Count == 0)
                return;
            var map = new BlockMap([.. sizes.Select(s => Shard(s))], new SampleCut(SampleKind.Blocks, context));
            Assert.Equal(expected.Count, map.Blocks);
            Assert.Equal(expected, Enumerable.Range(0, expected.Count).Select(b => map.Locate(b)));
        }, threads: 1);

    [Fact]
    public void A_block_outside_is_refused()
    {
        var map = new BlockMap([Shard(9)], new SampleCut(SampleKind.Blocks, 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => map.Locate(2));
        Assert.Throws<ArgumentOutOfRangeException>(() => map.Locate(-1));
    }

    [Fact]
    public void A_held_out_sample_is_spread_evenly_and_never_larger_than_the_text()
    {
        var map = new BlockMap([Shard(101)], new SampleCut(SampleKind.Blocks, 1));
        Assert.Equal([0, 25, 50, 75], HeldOutSample.Choose(map, 4));
        Assert.Equal(Enumerable.Range(0, 100).Select(b => (long)b), HeldOutSample.Choose(map, 1000));
    }

    [Fact]
    public void A_loss_of_ln_2_on_one_token_per_byte_is_one_bit_per_byte()
    {
        Assert.Equal(1, BitsPerByte.Of(Math.Log(2), 100, 100), 12);
        Assert.Equal(0.25, BitsPerByte.Of(Math.Log(2), 100, 400), 12);
    }

    private static ShardInfo Shard(long tokens) => new("train-00000.tokens", Digest.Of([]), tokens, tokens, 1);
}
