using System.IO.Hashing;
using CsCheck;
using Elastic.Foundation;

namespace Elastic.Corpus.Tests;

public sealed class TokenShardTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_missing_shard_is_named() =>
        Refusal.Says("/no/such.tokens is missing", () => TokenShard.Open("/no/such.tokens"));

    [Fact]
    public void A_file_of_another_kind_is_refused() =>
        Refusal.Says("is not a token shard", () => TokenShard.Open(_folder.Write("x.tokens", "hello world, this is text")));

    [Fact]
    public void A_truncated_shard_tells_both_lengths()
    {
        var whole = File.ReadAllBytes(Shard());
        foreach (var length in new[] { 8, 100, 255, 256, 1000, whole.Length - 1 })
        {
            var path = _folder.Write("cut.tokens", whole[..length]);
            var error = Assert.Throws<ElasticException>(() => TokenShard.Open(path)).Message;
            Assert.Contains($"{path} is cut short", error, StringComparison.Ordinal);
            Assert.Contains($"expected {(length < 256 ? 256 : whole.Length)} bytes, found {length}", error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Bytes_behind_the_end_are_refused() =>
        Refusal.Says("is too long", () => TokenShard.Open(_folder.Write("long.tokens", [.. File.ReadAllBytes(Shard()), 0])));

    [Fact]
    public void Another_version_is_refused()
    {
        var bytes = File.ReadAllBytes(Shard());
        bytes[8] = 9;
        Refusal.Says("of version 9", () => TokenShard.Open(_folder.Write("new.tokens", bytes)));
    }

    [Fact]
    public void A_flipped_byte_anywhere_is_reported_with_file_and_bytes()
    {
        var whole = File.ReadAllBytes(Shard(documents: 400));
        Assert.True(whole.Length > 2 * 65536);
        var path = _folder["flipped.tokens"];
        // Version and magic number aside, which have their own messages.
        Gen.Select(Gen.Int[12, whole.Length - 1], Gen.Int[1, 255]).Sample((at, flip) =>
        {
            var bytes = whole.ToArray();
            bytes[at] ^= (byte)flip;
            File.WriteAllBytes(path, bytes);
            var error = Assert.Throws<ElasticException>(() => ReadAll(path)).Message;
            var range = error.Split("bytes ")[1].Split(" do")[0].Split(" to ");
            Assert.StartsWith($"{path} is damaged", error, StringComparison.Ordinal);
            Assert.InRange(at, int.Parse(range[0]), int.Parse(range[1]));
        }, iter: 200, threads: 1);
    }

    [Theory]
    [InlineData(12, 1, "its tokens have 1 bytes")]
    [InlineData(12, -2, "its tokens have -2 bytes")]
    [InlineData(12, 4, "does not hold")]
    [InlineData(48, 1 << 17, "its tokens of 2 bytes are of a vocabulary of 131072")]
    [InlineData(48, 0, "of a vocabulary of 0")]
    [InlineData(48, -1, "of a vocabulary of -1")]
    [InlineData(16, -1L, "it counts -1 tokens")]
    [InlineData(16, long.MaxValue, "it counts 9223372036854775807 tokens")]
    [InlineData(16, 1_000_000L, "does not hold 1000000 tokens")]
    [InlineData(24, -1L, "-1 documents")]
    [InlineData(24, 1_000_000L, "1000000 documents")]
    [InlineData(32, -1L, "-1 bytes of text")]
    [InlineData(40, -1L, "its payload of -1 bytes")]
    [InlineData(40, long.MinValue, "its payload of -9223372036854775808 bytes")]
    [InlineData(40, 1L << 50, "its payload of 1125899906842624 bytes")]
    public void A_shard_whose_numbers_point_out_of_its_file_is_refused_though_its_hashes_are_right(int at, object value, string why)
    {
        var bytes = File.ReadAllBytes(Shard());
        Refusal.Says(why, () => TokenShard.Open(_folder.Write("forged.tokens", Forged(bytes, at, value))));
    }

    [Fact]
    public void A_shard_with_another_number_of_tokens_than_its_manifest_says_is_refused()
    {
        var corpus = Corpora.Build(_folder["c"], Corpora.Documents(20), heldOut: 0);
        var (info, path) = (corpus.TrainShards[0], corpus.ShardPath(corpus.TrainShards[0]));
        TokenShard.Open(path, info, 257).Dispose();
        Refusal.Says("the corpus's manifest says", () => TokenShard.Open(path, info with { Tokens = info.Tokens + 1 }, 257));
        Refusal.Says("of a vocabulary of 257", () => TokenShard.Open(path, info, 256));
    }

    [Fact]
    public void A_token_outside_of_the_vocabulary_is_refused_where_it_is_read()
    {
        // The tokens are below 256, and the header is made to say that there are fewer.
        var bytes = Forged(File.ReadAllBytes(Shard()), 48, 40);
        using var shard = TokenShard.Open(_folder.Write("forged.tokens", bytes));
        var refusal = Assert.Throws<ElasticException>(() => shard.ReadTokens(0, new int[shard.TokenCount]));
        Assert.Contains("of a vocabulary of 40", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_index_of_documents_that_contradicts_itself_is_refused_though_its_hashes_are_right()
    {
        var bytes = File.ReadAllBytes(Shard());
        var index = 256 + 2 * (int)BitConverter.ToInt64(bytes, 16);
        var sources = index + 16 * (int)BitConverter.ToInt64(bytes, 24);
        foreach (var (at, value) in new (int, object)[]
            { (index + 16, -1L), (index + 16, long.MaxValue), (index + 8, -1), (index + 12, 99), (index + 12, -1),
              (sources, int.MaxValue), (sources + 4, -1), (sources + 4, int.MaxValue) })
        {
            using var shard = TokenShard.Open(_folder.Write("forged.tokens", Forged(bytes, at, value)));
            Refusal.Says("is no token shard", () => shard.Documents());
        }
    }

    [Fact]
    public void A_flipped_byte_hurts_only_the_blocks_of_its_page()
    {
        var bytes = File.ReadAllBytes(Shard(documents: 400));
        bytes[256 + 65536 + 17] ^= 1;
        using var shard = TokenShard.Open(_folder.Write("flipped.tokens", bytes));
        shard.ReadBlock(0, 16, new int[17]);
        var error = Assert.Throws<ElasticException>(() => shard.ReadBlock(32768 / 16, 16, new int[17]));
        Assert.Contains("bytes 65792 to 131327", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("byte")]
    [InlineData("gpt2")]
    public void Blocks_are_consecutive_tokens_that_share_one(string tokenizer)
    {
        var path = Shard(tokenizer: tokenizer);
        var tokens = Corpora.Tokens(path);
        using var shard = TokenShard.Open(path);
        foreach (var context in new[] { 1, 7, 64, tokens.Length - 1 })
        {
            Assert.Equal((tokens.Length - 1) / context, shard.BlockCount(context));
            var block = new int[context + 1];
            for (var i = 0; i < shard.BlockCount(context); i++)
            {
                shard.ReadBlock(i, context, block);
                Assert.Equal(tokens[(i * context)..(i * context + context + 1)], block);
            }
        }
        Assert.Equal(0, shard.BlockCount(tokens.Length));
    }

    [Fact]
    public void A_block_outside_or_a_buffer_of_another_size_is_refused()
    {
        using var shard = TokenShard.Open(Shard());
        Assert.Throws<ArgumentOutOfRangeException>(() => shard.ReadBlock(shard.BlockCount(8), 8, new int[9]));
        Assert.Throws<ArgumentOutOfRangeException>(() => shard.ReadBlock(-1, 8, new int[9]));
        Assert.Throws<ArgumentOutOfRangeException>(() => shard.ReadBlock(0, 8, new int[8]));
    }

    [Fact]
    public void The_document_index_gives_the_documents_back()
    {
        var documents = Corpora.Documents(50);
        using var shard = TokenShard.Open(Shard(documents: 50));
        var index = shard.Documents();
        Assert.Equal(documents.Select(d => d.Source), index.Select(d => d.Source));
        var bytes = Tokenizer.Open("byte");
        foreach (var (document, entry) in documents.Zip(index))
        {
            var tokens = new int[entry.Tokens];
            shard.ReadTokens(entry.StartToken, tokens);
            Assert.Equal(bytes.EndOfText, tokens[^1]);
            Assert.Equal(document.Text, bytes.Decode(tokens));
            Assert.Equal(document.Text.Length, entry.Bytes);
        }
    }

    [Fact]
    public void Many_threads_read_one_shard()
    {
        var path = Shard(documents: 300);
        var tokens = Corpora.Tokens(path);
        using var shard = TokenShard.Open(path);
        Parallel.For(0, shard.BlockCount(32), new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
        {
            var block = new int[33];
            shard.ReadBlock(i, 32, block);
            Assert.Equal(tokens[(i * 32)..(i * 32 + 33)], block);
        });
    }

    [Fact]
    public void A_closed_shard_says_so()
    {
        var shard = TokenShard.Open(Shard());
        shard.Dispose();
        Assert.Throws<ObjectDisposedException>(() => shard.ReadBlock(0, 4, new int[5]));
    }

    [Fact]
    public void Shards_of_llm_c_open_through_the_same_class()
    {
        var tokens = Enumerable.Range(0, 1000).Select(i => i * 50).ToList();
        using var shard = TokenShard.Open(_folder.Write("x.bin", Corpora.LlmcBytes(tokens)));
        Assert.Equal((1000, "gpt2"), (shard.TokenCount, shard.Tokenizer));
        var block = new int[11];
        shard.ReadBlock(99 - 1, 10, block);
        Assert.Equal(tokens[980..991], block);
        Assert.Empty(shard.Documents());
    }

    [Fact]
    public void Shards_of_llm_c_that_are_cut_short_or_of_another_version_are_refused()
    {
        var bytes = Corpora.LlmcBytes([1, 2, 3]);
        Refusal.Says("expected 1030 bytes, found 1029", () => TokenShard.Open(_folder.Write("a.bin", bytes[..^1])));
        Refusal.Says("expected 1024 bytes, found 12", () => TokenShard.Open(_folder.Write("b.bin", bytes[..12])));
        Refusal.Says("of version 2", () => TokenShard.Open(_folder.Write("c.bin", Corpora.LlmcBytes([1], version: 2))));
    }

    // One shard with all documents.
    private string Shard(int documents = 20, string tokenizer = "byte")
    {
        var folder = _folder[$"{tokenizer}-{documents}"];
        var corpus = Corpora.Build(folder, Corpora.Documents(documents), tokenizer, heldOut: 0, tokensPerShard: long.MaxValue);
        return corpus.ShardPath(Assert.Single(corpus.TrainShards));
    }

    // The shard with one number changed, and all hashes right again.
    private static byte[] Forged(byte[] shard, int at, object value)
    {
        byte[] forged = [.. shard];
        _ = value is long wide
            ? BitConverter.TryWriteBytes(forged.AsSpan(at), wide) : BitConverter.TryWriteBytes(forged.AsSpan(at), (int)value);
        var payload = (int)BitConverter.ToInt64(shard, 40);
        var table = forged.AsSpan(256 + payload);
        for (var page = 0; page * 65536 < payload; page++)
            BitConverter.TryWriteBytes(
                table[(8 * page)..], XxHash3.HashToUInt64(forged.AsSpan(256 + page * 65536, Math.Min(65536, payload - page * 65536))));
        BitConverter.TryWriteBytes(forged.AsSpan(152), XxHash3.HashToUInt64(table));
        BitConverter.TryWriteBytes(forged.AsSpan(160), XxHash3.HashToUInt64(forged.AsSpan(0, 160)));
        return forged;
    }

    private static void ReadAll(string path)
    {
        using var shard = TokenShard.Open(path);
        shard.ReadTokens(0, new int[shard.TokenCount]);
        shard.Documents();
    }
}
