using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages.Corpora;

namespace Elastic.Corpus.Tests.Build.Nodes;

/// <summary>Tokens that another machine has made of a piece of a text are those that this one would make.</summary>
public sealed class TokenPieceTests : IDisposable
{
    private static readonly Document[] Documents =
    [
        new("in", "a", "One sentence.") { Language = "en" },
        new("in/é", "b", "An answer, \ud83d\ude00.") { Prompt = "", IsValidation = true },
        new("in", "c", "half a line") { LineStart = Digest.Of([1]), IsContinued = true },
        new("in", "d", "yes") { Pieces = [new(ChatPieceKind.Mark, "<|user|>", false), new(ChatPieceKind.Text, "yes", true)] },
    ];

    private readonly BuiltFolders _folders = new();

    public void Dispose() => _folders.Dispose();

    [Theory, InlineData("byte", false), InlineData("gpt2", false)]
    public void What_travelled_gives_the_tokens_that_the_documents_give_here(string tokenizer, bool marksWords)
    {
        var plan = new TokenPlan(Tokenizer.Open(tokenizer), 0.5, marksWords);
        var there = TokenPlan.Read(plan.Write()).Tokenize(new DocumentBatch(0, DocumentPiece.Read(DocumentPiece.Write(Documents))));
        Compare(plan.Tokenize(new DocumentBatch(7, Documents)), Travelled(there, plan));
    }

    [Fact]
    public void A_tokenizer_of_a_file_goes_with_the_plan_and_has_its_wide_tokens_and_marks()
    {
        var path = _folders.Write("vocab.txt", string.Join('\n', [
            "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. Enumerable.Range(0, 70_000).Select(i => $"w{i}"), "one", "##s"]) + "\n");
        var plan = new TokenPlan(FileTokenizer.Open(TokenizerFile.Find(path)), 0, MarksWords: true);
        var there = TokenPlan.Read(plan.Write());
        Assert.Equal(plan.Tokenizer.Id, there.Tokenizer.Id);
        Document[] documents = [new("in", "a", "ones w69999")];
        var tokens = there.Tokenize(new DocumentBatch(0, documents));
        Assert.Contains(tokens.Documents[0].Tokens.ToArray(), e => e > ushort.MaxValue && (e & SampleElement.Continues) != 0);
        Compare(plan.Tokenize(new DocumentBatch(7, documents)), Travelled(tokens, plan));
    }

    [Fact]
    public void A_piece_that_is_cut_short_longer_or_of_another_vocabulary_is_refused()
    {
        var documents = DocumentPiece.Write(Documents);
        var plan = new TokenPlan(Tokenizer.Open("byte"), 0, false);
        Assert.All(
            Enumerable.Range(0, documents.Length), end => Assert.Throws<ElasticException>(() => DocumentPiece.Read(documents[..end])));
        Assert.Throws<ElasticException>(() => DocumentPiece.Read([.. documents, 0]));
        Assert.Throws<ElasticException>(() => DocumentPiece.Read([255, 255, 255, 127]));

        var tokens = Bytes(plan.Tokenize(new DocumentBatch(0, Documents)));
        void Refused(byte[] bytes, int vocabulary = 257) => Assert.Throws<ElasticException>(() => Read(bytes, vocabulary));
        Assert.All(Enumerable.Range(0, tokens.Length), end => Refused(tokens[..end]));
        Refused([.. tokens, 0]);
        Refused(tokens, vocabulary: 256);
        Assert.Throws<ElasticException>(() => TokenPlan.Read("{}"u8));
        Assert.Contains("gpt3", Assert.Throws<ElasticException>(() => TokenPlan.Read(
            """{"tokenizer":"gpt3","heldOut":0,"marksWords":false}"""u8)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_piece_is_called_after_its_documents_and_all_that_makes_tokens_of_them()
    {
        var plans = new[] { ("byte", 0.1, false), ("gpt2", 0.1, false), ("byte", 0.2, false), ("byte", 0.1, true) }
            .Select(p => Digest.Of(new TokenPlan(Tokenizer.Open(p.Item1), p.Item2, p.Item3).Write())).ToList();
        var texts = new[] { Documents, Documents[1..] }.Select(d => Digest.Of(DocumentPiece.Write(d))).ToList();
        Assert.Distinct(plans.SelectMany(p => texts.Select(t => TokenStore.IdentityOf(p, t))));
    }

    [Theory, InlineData(0, 1 << 10), InlineData(1 << 20, 1 << 16), InlineData(1L << 40, 8 << 20)]
    public void A_text_is_cut_into_pieces_by_its_size_alone(long bytes, int characters) =>
        Assert.Equal(characters, DocumentPiece.CharactersOf(bytes));

    private static void Compare(TokenizedBatch here, TokenizedBatch there)
    {
        Assert.Equal(here.Sequence, there.Sequence);
        foreach (var (a, b) in here.Documents.Zip(there.Documents, (a, b) => (a, b)))
        {
            Assert.Equal(a.Tokens.ToArray(), b.Tokens.ToArray());
            Assert.Equal(a with { Tokens = default }, b with { Tokens = default });
        }
        Assert.Equal(here.Documents.Count, there.Documents.Count);
    }

    private TokenizedBatch Travelled(TokenizedBatch tokens, TokenPlan plan) => Read(Bytes(tokens), plan.Tokenizer.VocabularySize);

    private TokenizedBatch Read(byte[] bytes, int vocabulary)
    {
        var path = Path.Combine(_folders["."], "piece.tokens");
        File.WriteAllBytes(path, bytes);
        return TokenPiece.Read(path, 7, vocabulary);
    }

    private static byte[] Bytes(TokenizedBatch tokens)
    {
        var bytes = new MemoryStream();
        TokenPiece.Write(tokens.Documents, bytes);
        return bytes.ToArray();
    }
}
