using Elastic.Foundation;

namespace Elastic.Corpus.Tests;

public sealed class LlmcCorpusTests : IDisposable
{
    private static readonly Tokenizer Gpt2 = Tokenizer.Open("gpt2");

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Shards_with_the_word_val_in_the_name_are_held_out()
    {
        Write("fineweb_train_000001.bin", [50256, 15496, 995]);
        Write("fineweb_train_000002.bin", [50256, 628]);
        Write("fineweb_val_000000.bin", [50256, 31373]);
        var corpus = Build();
        Assert.Equal(["train-00000.bin", "train-00001.bin"], corpus.TrainShards.Select(s => s.FileName));
        Assert.Equal([50256, 31373], Corpora.Tokens(corpus.ShardPath(Assert.Single(corpus.HeldOutShards))));
        Assert.Equal((3, "Hello world\n\nhello".Length, 7), (corpus.Manifest.Documents, corpus.Manifest.Bytes, corpus.Manifest.Tokens));
        Assert.Empty(corpus.Problems());
    }

    [Fact]
    public void Without_such_a_name_the_last_of_several_is_held_out_and_a_single_one_is_trained_on()
    {
        Write("a.bin", [1, 2]);
        Assert.Empty(Build("one").HeldOutShards);
        Write("b.bin", [3, 4]);
        Assert.Equal([3, 4], Corpora.Tokens(Build("two") is var two ? two.ShardPath(two.HeldOutShards[0]) : ""));
    }

    [Theory]
    [InlineData("interval_0.bin", false)]
    [InlineData("evaluate.bin", false)]
    [InlineData("value0.bin", false)]
    [InlineData("fineweb_val_000000.bin", true)]
    [InlineData("VAL0.bin", true)]
    [InlineData("valid.bin", true)]
    [InlineData("books-validation.bin", true)]
    public void A_name_says_by_a_word_of_its_own_that_a_shard_is_held_out(string name, bool isHeldOut) =>
        Assert.Equal(isHeldOut, LlmcCorpus.IsHeldOut(new SourceFile(name, name, DocumentFormat.LlmcShard)));

    [Fact]
    public void Another_tokenizer_is_refused()
    {
        Write("a.bin", [1, 2]);
        Refusal.Says("use corpus.tokenizer = gpt2", () => Build(tokenizer: Tokenizer.Open("byte")));
    }

    [Fact]
    public void A_token_outside_of_the_vocabulary_is_reported_with_its_byte()
    {
        Write("a.bin", [1, 60_000]);
        Refusal.Says("a.bin holds token 60000 at byte 1026", () => Build());
    }

    [Fact]
    public void Broken_shards_leave_no_corpus()
    {
        Write("a.bin", [1, 2]);
        _folder.Write("in/b.bin", [1, 2, 3]);
        Refusal.Says("b.bin is not a token shard of llm.c", () => Build());
        _folder.Write("in/b.bin", Corpora.LlmcBytes([1, 2])[..^2]);
        Refusal.Says("b.bin is cut short: expected 1028 bytes, found 1026; write or download it again", () => Build());
        _folder.Write("in/b.bin", Corpora.LlmcBytes([]));
        Refusal.Says("b.bin holds no tokens: write or download it again, or leave it out (corpus.exclude)", () => Build());
        Assert.Equal([_folder["in"]], Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Held_out_shards_alone_are_refused()
    {
        Write("val.bin", [1, 2]);
        Refusal.Says("only held-out shards", () => Build());
    }

    private void Write(string name, int[] tokens) => _folder.Write("in/" + name, Corpora.LlmcBytes(tokens));

    private BuiltCorpus Build(string name = "out", Tokenizer? tokenizer = null) =>
        LlmcCorpus.Build(
            _folder[name], Digest.Of("id"u8), tokenizer ?? Gpt2, CorpusSources.Resolve([_folder["in"]]), CancellationToken.None);
}
