using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Elastic.Foundation;

namespace Elastic.Corpus.Tests;

public sealed class FileTokenizerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Gpt2_from_a_file_is_the_gpt2_that_is_built_in()
    {
        var file = Open(Samples.File(
            Samples.Gpt2Model(), Samples.ByteLevel(false, true), decoder: Samples.ByteLevel(true, true),
            added: Samples.Special("<|endoftext|>", 50256, "s")), 50256);
        var gpt2 = Tokenizer.Open("gpt2");
        Assert.Equal((gpt2.VocabularySize, gpt2.EndOfText), (file.VocabularySize, file.EndOfText));
        for (var token = 0; token < gpt2.VocabularySize; token++)
            Assert.Equal(gpt2.ByteCount(token), file.ByteCount(token));
        Texts.Any.Sample(text =>
        {
            Assert.Equal(Encode(gpt2, text), Encode(file, text));
            Assert.Equal(gpt2.Decode([.. Encode(gpt2, text)]), file.Decode([.. Encode(file, text)]));
            Assert.Equal(Encoding.UTF8.GetByteCount(text), Encode(file, text).Sum(file.ByteCount));
        }, iter: 3000, threads: 1);
    }

    [Fact]
    public void Text_that_looks_like_a_special_token_is_ordinary_text()
    {
        var unigram = Open(Samples.File(
            Samples.Unigram(fallsBack: true), added: [Samples.Special("</s>", 1, "s"), Samples.Special("<unk>", 2, "s")]), 1);
        Assert.DoesNotContain(unigram.EndOfText, Encode(unigram, "the</s>of"));
        Assert.Contains(unigram.EndOfText, unigram.EncodeWithSpecialTokens("the</s>of").Tokens);
        var whole = Open(Samples.File(
            Samples.Bpe(["a", "b", "ab"], [("a", "b")], takesWholeWords: true), added: Samples.Special("ab", 2, "s")), 2);
        Assert.Equal([0, 1], Encode(whole, "ab"));
    }

    [Fact]
    public void A_pair_of_texts_gets_the_tokens_and_segments_of_the_template()
    {
        var bert = TokenizerFile.Find(_folder.Write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##b\n"));
        var (tokens, segments) = FileTokenizer.Open(bert).EncodeWithSpecialTokens("a", "b Ab");
        Assert.Equal([2, 5, 3, 6, 5, 7, 3], tokens);
        Assert.Equal([0, 0, 0, 1, 1, 1, 1], segments);
    }

    [Fact]
    public void Bytes_of_a_token_are_those_of_its_text_between_others()
    {
        var llama = Open(Samples.File(
            Samples.SentencePieceBpe(fallsBack: true, fuses: true), null,
                Samples.Node("""{"type":"Replace","pattern":{"String":" "},"content":"▁"}"""),
            Samples.Sequence("decoders", Samples.Node("""{"type":"Replace","pattern":{"String":"▁"},"content":" "}"""),
                Samples.Node("""{"type":"ByteFallback"}"""), Samples.Node("""{"type":"Fuse"}"""),
                    Samples.Node("""{"type":"Strip","content":" ","start":1,"stop":0}""")),
            added: [Samples.Special("<s>", 1, "s"), Samples.Special("</s>", 2, "s")]), 2);
        Texts.Scripts.Sample(text => Assert.Equal(
            Encoding.UTF8.GetByteCount(text), Encode(llama, text).Sum(llama.ByteCount)), iter: 2000, threads: 1);
        Assert.Equal(0, llama.ByteCount(2));
        Assert.Throws<ArgumentOutOfRangeException>(() => llama.ByteCount(llama.VocabularySize));
    }

    [Fact]
    public void Many_threads_share_one_tokenizer()
    {
        var file = Open(Samples.File(Samples.Gpt2Model(), Samples.SplitAndBytes(Samples.Llama3),
            added: Samples.Special("<|end|>", 50256, "s")), 50256);
        var texts = Enumerable.Range(0, 300).Select(i =>
            string.Concat(Enumerable.Range(0, 50).Select(j => $" word{i * j} don't 0{j}0\n"))).ToList();
        var expected = texts.ConvertAll(t => Encode(file, t));
        var fresh = Open(Samples.File(Samples.Gpt2Model(), Samples.SplitAndBytes(Samples.Llama3),
            added: Samples.Special("<|end|>", 50256, "s")), 50256);
        Assert.Equal(expected, texts.AsParallel().AsOrdered().WithDegreeOfParallelism(4).Select(t => Encode(fresh, t)));
    }

    [Fact]
    public void A_long_word_has_the_tokens_that_the_builtin_gpt2_gives()
    {
        var file = Open(Samples.File(Samples.Gpt2Model(), Samples.ByteLevel(false, true), added: Samples.Special("<|end|>", 50256, "s")),
            50256);
        var random = new Random(3);
        var text = new string([.. Enumerable.Range(0, 1 << 18).Select(i => (char)('a' + random.Next(i % 5000 < 2500 ? 26 : 2)))]);
        Assert.Equal(Encode(Tokenizer.Open("gpt2"), text), Encode(file, text));
    }

    // The place of each fault is named, with what is known instead.
    [Theory]
    [InlineData("normalizer", """{"type":"Nmt"}""", "normalizer is a Nmt, which is not known: known are BertNormalizer, Lowercase, NFC")]
    [InlineData("normalizer", """{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"x"}]}""", "normalizer.normalizers[1] is a x")]
    [InlineData("pre_tokenizer", """{"type":"UnicodeScripts"}""", "pre_tokenizer is a UnicodeScripts, which is not known: known are")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"a(?<=b)"},"behavior":"Isolated"}""", "cannot be used")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"a"},"behavior":"3"}""", "a behavior that is none of Removed")]
    [InlineData("pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Whitespace"}]}""",
        "must be the last step")]
    [InlineData("decoder", """{"type":"CTC"}""", "decoder is a CTC, which is not known")]
    [InlineData(
        "post_processor", """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}],"pair":[],"special_tokens":{}}""",
        "\"x\", which special_tokens lacks")]
    [InlineData("post_processor", """{"type":"BertProcessing","sep":["x",9],"cls":["y",1]}""", "adds the token 9")]
    [InlineData("model", """{"type":"WordLevel","vocab":{}}""",
        "model is a WordLevel, which is not known: known are BPE, Unigram, WordPiece")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0},"merges":["a b"]}""",
        "model.merges[0] merges \"a\" and \"b\", but the vocabulary has no \"b\"")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]}""", "the vocabulary has no \"ab\"")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}""", "is no pair of tokens")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}""", "two tokens with the number 0")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0,"a":1},"merges":[]}""", "the token \"a\" twice")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":-1},"merges":[]}""", "model.vocab.a is no whole number")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":99999999},"merges":[]}""", "is no whole number from 0 to 16777215")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1}""", "dropout")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"u"}""", "which its unk_token names")]
    [InlineData("model", """{"type":"Unigram","vocab":[["a",0],["a",-1]]}""", "the token \"a\" twice")]
    [InlineData("model", """{"type":"Unigram","vocab":[["a","x"]]}""", "model.vocab[0][1] is no number")]
    [InlineData("model", """{"type":"Unigram","vocab":[["a",0]],"unk_id":1}""", "model.unk_id is no whole number from 0 to 0")]
    [InlineData("model", """{"type":"WordPiece","vocab":{"a":0}}""", "no token \"[UNK]\"")]
    [InlineData("added_tokens", """[{"id":0,"content":"q"},{"id":0,"content":"r"}]""", "two added tokens with the number 0")]
    [InlineData("added_tokens", """[{"id":5,"content":"a"}]""", "the added token \"a\" as 5, and its model has it as 0")]
    [InlineData("added_tokens", """[{"id":1,"content":""}]""", "a content of 0 characters")]
    public void What_a_file_says_wrongly_is_refused_with_its_place(string part, string json, string why)
    {
        // As text: a node of JSON would drop the duplicates.
        var file = Samples.File(Samples.Node("""{"type":"BPE","vocab":{"a":0},"merges":[]}"""));
        file[part] = "@";
        var text = file.ToJsonString().Replace("\"@\"", json, StringComparison.Ordinal);
        Refusal.Says(why, () => FileTokenizer.Open(new TokenizerFile(Encoding.UTF8.GetBytes(text), 0, "t.json")));
        Refusal.Says("t.json", () => FileTokenizer.Open(new TokenizerFile(Encoding.UTF8.GetBytes(text), 0, "t.json")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("{\"model\":{\"type\":\"BPE\"}}")]
    [InlineData("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\\ud800\":0},\"merges\":[]}}")]
    public void What_is_no_tokenizer_is_refused(string text) =>
        Refusal.Says("t.json", () => FileTokenizer.Open(new TokenizerFile(Encoding.UTF8.GetBytes(text), 0, "t.json")));

    [Fact]
    public void Steps_nested_without_end_are_refused()
    {
        var deep = string.Concat(Enumerable.Repeat("{\"type\":\"Sequence\",\"normalizers\":[", 5000))
            + string.Concat(Enumerable.Repeat("]}", 5000));
        var text = Samples.File(Samples.Node("""{"type":"BPE","vocab":{"a":0},"merges":[]}""")).ToJsonString()
            .Replace("\"normalizer\":null", $"\"normalizer\":{deep}", StringComparison.Ordinal);
        Refusal.Says("is no JSON that can be read", () => FileTokenizer.Open(new TokenizerFile(Encoding.UTF8.GetBytes(text), 0, "t.json")));
    }

    [Fact]
    public void Damaged_bytes_are_refused_or_read_and_nothing_else()
    {
        var json = Encoding.UTF8.GetBytes(Samples.File(
            Samples.Unigram(fallsBack: false), Samples.Node(
                """{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}"""),
            added: Samples.Special("</s>", 1, "s")).ToJsonString());
        Gen.Select(Gen.Int[0, json.Length - 1], Gen.Byte).Array[1, 4].Sample(changes =>
        {
            var damaged = json.ToArray();
            foreach (var (at, value) in changes)
                damaged[at] = value;
            try
            {
                Encode(FileTokenizer.Open(new TokenizerFile(damaged, 1, "t.json")), "the of xyz");
            }
            catch (ElasticException e)
            {
                Assert.NotEmpty(e.Message);
            }
        }, iter: 400, threads: 1);
    }

    private FileTokenizer Open(JsonNode json, int endOfText) =>
        FileTokenizer.Open(new TokenizerFile(Encoding.UTF8.GetBytes(json.ToJsonString()), endOfText, _folder["tokenizer.json"]));

    private static List<int> Encode(Tokenizer tokenizer, string text)
    {
        var tokens = new List<int>();
        tokenizer.Encode(text, tokens);
        return tokens;
    }
}
