using System.Text.Json.Nodes;
using Elastic.Messages.Corpora;

namespace Elastic.Corpus.Tests;

public sealed class WholeWordsTests : IDisposable
{
    private const int Continues = SampleElement.Continues, Not = SampleElement.NotCounted;

    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void The_pieces_that_go_on_with_a_word_are_marked_in_the_corpus_and_in_every_cut()
    {
        var bert = WordPieces();
        Assert.True(bert.MarksWords);
        using var writer = new CorpusWriter(_folder["c"], Foundation.Digest.Of("id"u8), bert, hasMarks: true);
        var batch = new DocumentBatch(0, [new Document("s", "d", "playing ##s plays") { Prompt = "plays" }]);
        writer.Append(BatchTokenizer.Tokenize(bert, batch, 0, marksWords: true));
        var corpus = writer.Complete(new ReadStatistics());
        // The text "##s" is two signs and a letter; none of its tokens goes on with a word.
        int[] expected =
            [3 | Not, 5 | Continues | Not, 3, 4 | Continues, /* # # s */ 6, 6, 7, 3, 5 | Continues, /* end */ 2];
        Assert.Equal(expected, Corpora.Tokens(corpus.ShardPath(corpus.TrainShards[0])));

        using var shard = TokenShard.Open(corpus.ShardPath(corpus.TrainShards[0]));
        var pair = new int[13];
        new SampleCut(Messages.Settings.SampleKind.Pairs, 6).Read(shard, 0, pair);
        Assert.Equal([3, 5 | Continues, 2, 2 | SampleElement.Begins, 2, 2, /**/ 2 | Not, 3, 4 | Continues, 6, 6, 7, 3], pair);
    }

    [Fact]
    public void Tokenizers_of_bytes_and_their_merges_mark_no_words()
    {
        Assert.All(Tokenizer.All, tokenizer => Assert.False(tokenizer.MarksWords));
        var settings = Corpora.Settings(_folder.Write("a.txt", "text"));
        var files = CorpusSources.Find(settings).Files;
        Assert.NotEqual(
            CorpusIdentity.Identify(files, settings).Id, CorpusIdentity.Identify(files, settings with { WholeWords = true }).Id);
    }

    public void Dispose() => _folder.Dispose();

    private FileTokenizer WordPieces()
    {
        string[] vocabulary = ["[UNK]", "[CLS]", "[SEP]", "play", "##ing", "##s", "#", "s"];
        var model = new JsonObject
        {
            ["type"] = "WordPiece",
            ["unk_token"] = "[UNK]",
            ["continuing_subword_prefix"] = "##",
            ["vocab"] = new JsonObject(vocabulary.Select((token, i) => KeyValuePair.Create(token, (JsonNode?)i))),
        };
        var json = Samples.File(
            model, Samples.Node("""{"type":"BertPreTokenizer"}"""),
            added: [Samples.Special("[UNK]", 0, "s"), Samples.Special("[CLS]", 1, "s"), Samples.Special("[SEP]", 2, "s")]);
        var path = _folder.Write("tokenizer.json", json.ToJsonString());
        return FileTokenizer.Open(new TokenizerFile(File.ReadAllBytes(path), 2, path));
    }
}
