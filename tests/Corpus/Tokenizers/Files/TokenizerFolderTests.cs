using System.Text;
using System.Text.Json.Nodes;

namespace Elastic.Corpus.Tests;

public sealed class TokenizerFolderTests : IDisposable
{
    private const string Bert = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\n##s\n";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Where_there_is_no_tokenizer_the_places_are_named()
    {
        Refusal.Says("use corpus.tokenizer = byte or gpt2, or the path of a folder", () => TokenizerFile.Find(_folder["nowhere"]));
        Refusal.Says("it needs a tokenizer.json, a vocab.json with merges.txt, or a vocab.txt", () => TokenizerFile.Find(_folder.Path));
        _folder.Write("vocab.json", "{}");
        Refusal.Says("merges.txt is missing", () => TokenizerFile.Find(_folder.Path));
        _folder.Write("merges.txt", "a b c\n");
        Refusal.Says("is not two tokens with a space between them", () => TokenizerFile.Find(_folder.Path));
        _folder.Write("vocab.txt", "a\nb\na\n");
        Refusal.Says("twice, in lines 1 and 3", () => TokenizerFile.Find(_folder["vocab.txt"]));
        _folder.Write("vocab.txt", "a\n");
        Refusal.Says("has no token [UNK]", () => TokenizerFile.Find(_folder["vocab.txt"]));
    }

    [Theory]
    [InlineData(null, null, 2)]                                         // the only usual end among the special tokens
    [InlineData("""{"eos_token":"<s>"}""", null, 1)]
    [InlineData("""{"eos_token":{"content":"a"}}""", null, 0)]
    [InlineData("""{"eos_token":null,"sep_token":"<s>"}""", null, 1)]
    [InlineData(null, """{"eos_token":{"content":"<s>"}}""", 1)]
    [InlineData("""{"model_max_length":512}""", """{"bos_token":"<s>"}""", 2)]
    public void The_end_of_a_text_is_what_the_files_beside_say(string? config, string? map, int token)
    {
        _folder.Write("tokenizer.json", Plain("</s>").ToJsonString());
        if (config is not null)
            _folder.Write("tokenizer_config.json", config);
        if (map is not null)
            _folder.Write("special_tokens_map.json", map);
        Assert.Equal(token, TokenizerFile.Find(_folder.Path).EndOfText);
        Assert.Equal(TokenizerFile.Find(_folder.Path).Id, TokenizerFile.Find(_folder["tokenizer.json"]).Id);
    }

    [Fact]
    public void An_end_of_text_that_nothing_names_or_that_is_no_token_is_refused()
    {
        _folder.Write("tokenizer.json", Plain("<x>").ToJsonString());
        Refusal.Says("does not say which token ends a document: put a tokenizer_config.json beside it", () =>
            TokenizerFile.Find(_folder.Path));
        _folder.Write("tokenizer_config.json", """{"eos_token":"</s>"}""");
        Refusal.Says("names \"</s>\" as its eos_token, which", () => TokenizerFile.Find(_folder.Path));
    }

    [Fact]
    public void The_id_is_of_the_bytes_and_the_end_of_text_and_not_of_the_place()
    {
        _folder.Write("a/tokenizer.json", Plain("</s>").ToJsonString());
        _folder.Write("b/tokenizer.json", Plain("</s>").ToJsonString());
        _folder.Write("c/tokenizer.json", Plain("</s>").ToJsonString() + " ");
        _folder.Write("d/tokenizer.json", Plain("</s>").ToJsonString());
        _folder.Write("d/tokenizer_config.json", """{"eos_token":"<s>"}""");
        var ids = new[] { "a", "b", "c", "d" }.Select(f => TokenizerFile.Find(_folder[f]).Id).ToList();
        Assert.Equal(ids[0], ids[1]);
        Assert.Equal(3, ids.Distinct().Count());
        Assert.All(ids, id => Assert.True(TokenizerFile.IsId(id) && Encoding.UTF8.GetByteCount(id) <= 63));
    }

    [Fact]
    public void A_vocabulary_and_merges_are_the_tokenizer_that_the_reference_makes_of_the_same_tokenizer_json()
    {
        var model = Samples.Gpt2Model();
        model["vocab"]!["<|endoftext|>"] = 50256;
        _folder.Write("vocab.json", model["vocab"]!.ToJsonString());
        _folder.Write("merges.txt", "#version: 0.2\n"
            + string.Concat(model["merges"]!.AsArray().Select(m => m!.GetValue<string>() + "\n")));
        var file = TokenizerFile.Find(_folder.Path);
        Assert.Equal(50256, file.EndOfText);
        using (var both = new References(JsonNode.Parse(file.Json)!))
            both.Same("Hello world, don't <|endoftext|> 1234");

        _folder.Write("tokenizer_config.json", """{"tokenizer_class":"Qwen2Tokenizer","eos_token":"<|endoftext|>"}""");
        using (var both = new References(JsonNode.Parse(TokenizerFile.Find(_folder["merges.txt"]).Json)!))
            both.Same("Hello world, DON'T e\u0301 <|endoftext|> 1234\n\n x");

        _folder.Write("tokenizer_config.json", """{"tokenizer_class":"CodeGenTokenizer"}""");
        Refusal.Says("names a tokenizer_class CodeGenTokenizer", () => TokenizerFile.Find(_folder.Path));
    }

    [Theory]
    [InlineData(null, "HELLO wörlds", new[] { 2, 5, 1, 3 })]
    [InlineData("""{"do_lower_case":false}""", "HELLO hellos", new[] { 2, 1, 5, 7, 3 })]
    [InlineData("""{"do_lower_case":true,"strip_accents":true}""", "héllo worlds", new[] { 2, 5, 6, 7, 3 })]
    [InlineData("""{"do_lower_case":true,"strip_accents":false}""", "héllo", new[] { 2, 1, 3 })]
    public void A_vocabulary_of_lines_is_BERTs_tokenizer(string? config, string text, int[] tokens)
    {
        _folder.Write("vocab.txt", Bert);
        if (config is not null)
            _folder.Write("tokenizer_config.json", config);
        var file = TokenizerFile.Find(_folder.Path);
        Assert.Equal(3, file.EndOfText);
        using var both = new References(JsonNode.Parse(file.Json)!);
        if (text != "HELLO wörlds")
            Assert.Equal(tokens, both.Ours.EncodeWithSpecialTokens(text).Tokens);
        both.Same(text);
    }

    [Fact]
    public void A_stored_copy_is_the_one_that_was_asked_for_or_refused()
    {
        var file = TokenizerFile.Find(_folder.Write("vocab.txt", Bert));
        Refusal.Says("tokenizer.json is missing", () => Tokenizer.OpenStored(file.Id, _folder["copy"]));
        _folder.Write("copy/tokenizer.json", file.Json);
        Assert.Equal(file.Id, Tokenizer.OpenStored(file.Id, _folder["copy"]).Id);
        _folder.Write("copy/tokenizer.json", [.. file.Json, (byte)' ']);
        Refusal.Says($"and not {file.Id}", () => Tokenizer.OpenStored(file.Id, _folder["copy"]));
        Assert.Equal("gpt2", Tokenizer.OpenStored("gpt2", _folder["copy"]).Id);
        Refusal.Says("there is no tokenizer", () => Tokenizer.OpenStored("/etc/passwd", _folder["copy"]));
    }

    [Fact]
    public void A_corpus_keeps_the_tokenizer_and_its_manifest_vouches_for_it()
    {
        var file = TokenizerFile.Find(_folder.Write("vocab.txt", Bert));
        var corpus = Corpora.Build(_folder["c"], Corpora.Documents(50), FileTokenizer.Open(file));
        Assert.Equal((file.Id, file.Sha256), (corpus.Manifest.Tokenizer, corpus.Manifest.TokenizerFile));
        Assert.Equal(file.Id, Tokenizer.OpenStored(corpus.Manifest.Tokenizer, corpus.Folder).Id);
        Assert.Empty(corpus.Problems());
        File.WriteAllText(corpus.TokenizerPath, "{}");
        Assert.StartsWith($"{corpus.TokenizerPath} has SHA-256", Assert.Single(corpus.Problems()), StringComparison.Ordinal);

        var manifest = File.ReadAllText(Path.Combine(corpus.Folder, CorpusManifest.FileName));
        foreach (var forged in new[]
        {
            manifest.Replace(file.Id, "byte", StringComparison.Ordinal),
            manifest.Replace(file.Sha256.Hex, new string('0', 64), StringComparison.Ordinal),
        })
            Refusal.Says("do not fit", () => BuiltCorpus.Receive(_folder["fetched"], corpus.Id, Encoding.UTF8.GetBytes(forged)));
    }

    [Fact]
    public void A_manifest_of_a_corpus_without_such_a_file_is_what_it_always_was() =>
        Assert.DoesNotContain("tokenizerFile", File.ReadAllText(Path.Combine(
            Corpora.Build(_folder["c"], Corpora.Documents(10)).Folder, CorpusManifest.FileName)), StringComparison.Ordinal);

    private static JsonObject Plain(string end) => Samples.File(
        Samples.Node("""{"type":"BPE","vocab":{"a":0},"merges":[]}"""),
            added: [Samples.Special("<s>", 1, "s"), Samples.Special(end, 2, "s")]);
}
