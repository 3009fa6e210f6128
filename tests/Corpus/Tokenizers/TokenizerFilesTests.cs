using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using CsCheck;
using Elastic.Foundation;
using Microsoft.ML.Tokenizers;
using HuggingFace = Tokenizers.DotNet.Tokenizer;

namespace Elastic.Corpus.Tests;

/// <summary>What is exported, read by Hugging Face's own library and by another one.</summary>
public sealed class TokenizerFilesTests : IDisposable
{
    private const string Pattern = @"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("byte")]
    [InlineData("gpt2")]
    public void Hugging_Faces_library_reads_the_tokenizer_and_encodes_the_same(string name)
    {
        var ours = Elastic.Corpus.Tokenizer.Open(name);
        Write(ours);
        var theirs = new HuggingFace(_folder["tokenizer.json"]);
        Texts.BasicPlane.Where(IsAgreedOn).Sample(text =>
        {
            List<int> tokens = [];
            ours.Encode(text, tokens);
            Assert.Equal(tokens, theirs.Encode(text).Select(t => (int)t));
        }, iter: 3_000, threads: 1);
        Assert.Equal([(uint)ours.EndOfText], theirs.Encode("<|endoftext|>"));
    }

    [Fact]
    public void Vocabulary_and_merges_of_GPT2_make_the_same_tokenizer_elsewhere()
    {
        var ours = Elastic.Corpus.Tokenizer.Open("gpt2");
        var files = TokenizerFiles.Of(ours, 1024);
        var merges = Encoding.UTF8.GetString(files["merges.txt"]).Split('\n');
        Assert.Equal(["#version: 0.2", "Ġ t", "Ġ a", "h e", "i n"], merges[..5]);
        Assert.Equal(50_000 + 2, merges.Length);                        // the first line, and what follows the last line's end
        Write(ours);
        var theirs = BpeTokenizer.Create(new BpeOptions(_folder["vocab.json"], _folder["merges.txt"])
        {
            ByteLevel = true,
            PreTokenizer = new RegexPreTokenizer(new Regex(Pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(10)), null),
        });
        Texts.BasicPlane.Where(IsAgreedOn).Sample(text =>
        {
            List<int> tokens = [];
            ours.Encode(text, tokens);
            Assert.Equal(tokens, theirs.EncodeToIds(text));
        }, iter: 3_000, threads: 1);
    }

    [Theory]
    [InlineData("byte")]
    [InlineData("gpt2")]
    public void A_folder_says_which_tokenizer_its_files_are(string name)
    {
        Assert.Null(TokenizerFiles.Recognize(_folder.Path));
        Write(Elastic.Corpus.Tokenizer.Open(name));
        Assert.Equal(name, TokenizerFiles.Recognize(_folder.Path)?.Id);
        File.Delete(_folder["vocab.json"]);
        Assert.Equal(name, TokenizerFiles.Recognize(_folder.Path)?.Id);
    }

    [Fact]
    public void GPT2s_own_files_and_what_newer_programs_make_of_them_are_GPT2s()
    {
        Write(Elastic.Corpus.Tokenizer.Open("gpt2"));
        // As its repository has them.
        Edit("tokenizer.json", json =>
        {
            json["added_tokens"]![0]!["normalized"] = true;
            json["pre_tokenizer"] = JsonNode.Parse("{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true}");
            json["post_processor"] = JsonNode.Parse("{\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": false}");
            json["decoder"] = JsonNode.Parse("{\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": true}");
            var model = json["model"]!.AsObject();
            foreach (var name in (string[])["type", "byte_fallback", "ignore_merges"])
                model.Remove(name);
            (model["continuing_subword_prefix"], model["end_of_word_suffix"]) = ("", "");
        });
        _folder.Write("tokenizer_config.json", "{\"model_max_length\": 1024}");
        Assert.Equal("gpt2", TokenizerFiles.Recognize(_folder.Path)?.Id);
        Edit("tokenizer.json", json =>
        {
            json["model"]!["merges"] = new JsonArray([.. json["model"]!["merges"]!.AsArray().Select(
                m => new JsonArray([.. ((string)m!).Split(' ').Select(t => JsonValue.Create(t))]))]);
            json["padding"] = new JsonObject { ["pad_id"] = 50256 };
        });
        _folder.Write("tokenizer_config.json", """
            {"added_tokens_decoder": {"50256": {"content": "<|endoftext|>", "special": true}}, "eos_token": "<|endoftext|>",
             "pad_token": "<|endoftext|>", "tokenizer_class": "GPT2Tokenizer"}
            """);
        Assert.Equal("gpt2", TokenizerFiles.Recognize(_folder.Path)?.Id);
        File.Delete(_folder["tokenizer.json"]);
        File.Delete(_folder["tokenizer_config.json"]);
        Assert.Equal("gpt2", TokenizerFiles.Recognize(_folder.Path)?.Id);
    }

    [Fact]
    public void Tokens_that_were_added_to_GPT2_are_kept_and_end_texts()
    {
        Write(Elastic.Corpus.Tokenizer.Open("gpt2"));
        Edit("tokenizer.json", json =>
        {
            Add(json, 50257, "<|im_start|>", isSpecial: true);
            Add(json, 50258, "<|im_end|>", isSpecial: true);
        });
        Edit("tokenizer_config.json", config => config["eos_token"] = "<|im_end|>");
        Check();
        // As older programs write them.
        File.Delete(_folder["tokenizer.json"]);
        _folder.Write("added_tokens.json", "{\"<|im_end|>\": 50258, \"<|im_start|>\": 50257}");
        Check();

        void Check()
        {
            var found = Assert.IsType<FileTokenizer>(TokenizerFiles.Recognize(_folder.Path));
            Assert.Equal((50259, 50258, 50257), (found.VocabularySize, found.EndOfText, found.SpecialToken("<|im_start|>")));
        }
    }

    // Newer programs do not write the file any more: their config numbers all tokens.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Added_tokens_that_their_config_calls_text_stay_text(bool hasFile)
    {
        Write(Elastic.Corpus.Tokenizer.Open("gpt2"));
        File.Delete(_folder["tokenizer.json"]);
        if (hasFile)
            _folder.Write("added_tokens.json", "{\"<|im_end|>\": 50257, \"<tool_call>\": 50258, \"<mark>\": 50259}");
        Edit("tokenizer_config.json", config =>
        {
            config["eos_token"] = "<|im_end|>";
            config["added_tokens_decoder"] = JsonNode.Parse("""
                {"50257": {"content": "<|im_end|>", "special": true}, "50258": {"content": "<tool_call>", "special": false}}
                """);
            if (!hasFile)
                config["added_tokens_decoder"]!["50259"] = JsonNode.Parse("""{"content": "<mark>", "special": true}""");
        });
        var tokenizer = Assert.IsType<FileTokenizer>(TokenizerFiles.Recognize(_folder.Path));
        Assert.Equal(
            (50257, null, 50259),
            (tokenizer.EndOfText, tokenizer.SpecialToken("<tool_call>"), tokenizer.SpecialToken("<mark>")));
        List<int> tokens = [];
        tokenizer.Encode("a<tool_call>b", tokens);
        Assert.Equal([64, 50258, 65], tokens);
        Assert.Equal("a<tool_call>b", tokenizer.Decode([.. tokens, 50259, 50257]));
    }

    [Theory]
    [InlineData("byte")]
    [InlineData("gpt2")]
    public void Files_that_say_more_than_a_tokenizer_without_files_has_are_opened(string name)
    {
        var ours = Elastic.Corpus.Tokenizer.Open(name);
        (string What, string File, Action<JsonObject> Change)[] changes =
        [
            ("a token that is searched in texts", "tokenizer.json", json => Add(json, ours.VocabularySize, "<think>", isSpecial: false)),
            ("an end of text that texts may hold", "tokenizer.json", json => json["added_tokens"]![0]!["special"] = false),
            ("another end of text", "tokenizer_config.json", config => config["eos_token"] = "!"),
            ("a normalizer", "tokenizer.json", json => json["normalizer"] = JsonNode.Parse("{\"type\": \"NFC\"}")),
            ("a space before texts", "tokenizer.json", json => json["pre_tokenizer"]!["add_prefix_space"] = true),
            ("other words", "tokenizer.json", json => json["pre_tokenizer"] = JsonNode.Parse(
                "{\"type\": \"Sequence\", \"pretokenizers\": ["
                + "{\"type\": \"Digits\"}, {\"type\": \"ByteLevel\", \"add_prefix_space\": false}]}")),
            ("tokens around texts", "tokenizer.json", json => json["post_processor"] = JsonNode.Parse(
                "{\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}], "
                + "\"pair\": [{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"B\", \"type_id\": 0}}], "
                + "\"special_tokens\": {}}")),
            ("words that are tokens", "tokenizer.json", json => json["model"]!["ignore_merges"] = true),
        ];
        foreach (var (what, file, change) in changes)
        {
            Write(ours);
            Edit(file, change);
            Assert.True(TokenizerFiles.Recognize(_folder.Path) is FileTokenizer, what);
        }
        if (name == "byte")
            return;
        Write(ours);
        Edit("tokenizer.json", json => json["model"]!["merges"]!.AsArray().RemoveAt(0));
        Assert.IsType<FileTokenizer>(TokenizerFiles.Recognize(_folder.Path));
        Write(ours);
        File.Delete(_folder["tokenizer.json"]);
        Edit("tokenizer_config.json", config => config["add_prefix_space"] = true);
        Assert.IsType<FileTokenizer>(TokenizerFiles.Recognize(_folder.Path));
    }

    [Fact]
    public void Another_tokenizer_is_opened_from_its_file_and_one_that_cannot_be_read_is_said()
    {
        Write(Elastic.Corpus.Tokenizer.Open("byte"));
        var text = File.ReadAllText(_folder["tokenizer.json"]);
        _folder.Write("tokenizer.json", text.Replace("\"!\":33,", "\"!!\":33,", StringComparison.Ordinal));
        var other = Assert.IsType<FileTokenizer>(TokenizerFiles.Recognize(_folder.Path));
        var files = TokenizerFiles.Of(other, context: 8);
        Assert.Equal(File.ReadAllBytes(_folder["tokenizer.json"]), files["tokenizer.json"]);
        Assert.Contains(
            "\"eos_token\":\"<|endoftext|>\"", Encoding.UTF8.GetString(files["tokenizer_config.json"]), StringComparison.Ordinal);
        foreach (var (old, @new) in ((string, string)[])[("\"a\":97", "\"a\":97,\"a\":97"), ("}", ""), ("\"vocab\"", "\"vocab2\"")])
        {
            Assert.Contains(old, text, StringComparison.Ordinal);
            _folder.Write("tokenizer.json", text.Replace(old, @new, StringComparison.Ordinal));
            Assert.Contains(
                _folder["tokenizer.json"], Assert.Throws<ElasticException>(() => TokenizerFiles.Recognize(_folder.Path)).Message,
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_config_names_the_class_that_opens_it_and_the_length_of_the_context()
    {
        foreach (var (name, type) in ((string, string)[])[("gpt2", "GPT2Tokenizer"), ("byte", "PreTrainedTokenizerFast")])
        {
            using var config = JsonDocument.Parse(TokenizerFiles.Of(Elastic.Corpus.Tokenizer.Open(name), 77)["tokenizer_config.json"]);
            Assert.Equal(type, config.RootElement.GetProperty("tokenizer_class").GetString());
            Assert.Equal(77, config.RootElement.GetProperty("model_max_length").GetInt32());
            Assert.Equal("<|endoftext|>", config.RootElement.GetProperty("eos_token").GetString());
        }
    }

    [Fact]
    public void The_config_names_the_tokens_that_have_a_role()
    {
        _folder.Write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n");
        var bert = FileTokenizer.Open(TokenizerFile.Find(_folder.Path));
        using var config = JsonDocument.Parse(TokenizerFiles.Of(bert, 8)["tokenizer_config.json"]);
        Assert.Equal(
            ["[SEP]", "[UNK]", "[PAD]", "[MASK]", "[CLS]", "[SEP]"],
            new[] { "eos_token", "unk_token", "pad_token", "mask_token", "cls_token", "sep_token" }
                .Select(role => config.RootElement.GetProperty(role).GetString()));
        Assert.False(config.RootElement.TryGetProperty("bos_token", out _));
    }

    [Fact]
    public void What_a_folder_says_of_its_tokens_is_carried_over_for_that_tokenizer_alone()
    {
        Write(Elastic.Corpus.Tokenizer.Open("byte"));
        Edit("tokenizer.json", json => Add(json, 257, "<end>", isSpecial: true));
        _folder.Write("tokenizer_config.json", """
            {"eos_token": "<end>", "pad_token": {"content": "<|endoftext|>"}, "unk_token": "<unk>", "bos_token": null}
            """);
        _folder.Write("generation_config.json", """{"bos_token_id": 256, "eos_token_id": [257, 256, 999]}""");
        var tokenizer = FileTokenizer.Open(TokenizerFile.Find(_folder.Path));
        var roles = TokenRoles.Of(_folder.Path, tokenizer);
        Assert.Equal((256, "257 256"), (roles.Beginning, string.Join(' ', roles.Ends)));
        using var config = JsonDocument.Parse(TokenizerFiles.Of(tokenizer, 8, roles: roles)["tokenizer_config.json"]);
        Assert.Equal(
            ("<end>", "<|endoftext|>"),
            (config.RootElement.GetProperty("eos_token").GetString(), config.RootElement.GetProperty("pad_token").GetString()));
        // The tokenizer has no such token.
        Assert.False(config.RootElement.TryGetProperty("unk_token", out _));

        Assert.Empty(TokenRoles.Of(_folder["nowhere"], tokenizer).Texts);
        _folder.Write("tokenizer_config.json", """{"eos_token": "<|endoftext|>", "pad_token": "<end>"}""");
        Assert.Empty(TokenRoles.Of(_folder.Path, tokenizer).Texts);
    }

    [Fact]
    public void A_template_that_is_exported_has_the_beginning_and_the_end_that_it_was_written_with()
    {
        Write(Elastic.Corpus.Tokenizer.Open("byte"));
        _folder.Write("tokenizer.json", File.ReadAllText(_folder["tokenizer.json"]).Replace(
            "<|endoftext|>", "<s>", StringComparison.Ordinal));
        _folder.Write("tokenizer_config.json", """
            {"bos_token": "<s>", "eos_token": "<s>", "chat_template": "{{ bos_token }}{{ messages[0].content }}"}
            """);
        var tokenizer = FileTokenizer.Open(TokenizerFile.Find(_folder.Path));
        var chat = ChatFolder.Find(_folder.Path, tokenizer)!;
        foreach (var (name, bytes) in TokenizerFiles.Of(tokenizer, 8, chat))
            _folder.Write($"out/{name}", bytes);
        var exported = ChatFolder.Find(_folder["out"], FileTokenizer.Open(TokenizerFile.Find(_folder["out"])))!;
        Assert.Equal([256, 'a'], chat.Prompt([new("user", "a")], tokenizer));
        Assert.Equal([256, 'a'], exported.Prompt([new("user", "a")], tokenizer));
    }

    // Others take the text of a special token for the token. Which characters are letters or numbers depends on the version of Unicode, and
    // private and unassigned ones are none in any of them only by chance.
    private static bool IsAgreedOn(string text) => !text.Contains("<|endoftext|>", StringComparison.Ordinal)
        && text.EnumerateRunes().All(r => Rune.GetUnicodeCategory(r) != UnicodeCategory.OtherNotAssigned);

    private static void Add(JsonObject json, int number, string text, bool isSpecial) => json["added_tokens"]!.AsArray().Add(
        new JsonObject { ["id"] = number, ["content"] = text, ["special"] = isSpecial });

    private void Edit(string name, Action<JsonObject> change)
    {
        var json = JsonNode.Parse(File.ReadAllText(_folder[name]))!.AsObject();
        change(json);
        _folder.Write(name, json.ToJsonString());
    }

    private void Write(Elastic.Corpus.Tokenizer tokenizer)
    {
        foreach (var (name, bytes) in TokenizerFiles.Of(tokenizer, 1024))
            _folder.Write(name, bytes);
    }
}
