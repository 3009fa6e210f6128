using System.Globalization;
using System.Text;
using System.Text.Json;
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

    // Others take the text of a special token for the token. Which characters are letters or numbers depends on the version of Unicode, and
    // private and unassigned ones are none in any of them only by chance.
    private static bool IsAgreedOn(string text) => !text.Contains("<|endoftext|>", StringComparison.Ordinal)
        && text.EnumerateRunes().All(r => Rune.GetUnicodeCategory(r) != UnicodeCategory.OtherNotAssigned);

    private void Write(Elastic.Corpus.Tokenizer tokenizer)
    {
        foreach (var (name, bytes) in TokenizerFiles.Of(tokenizer, 1024))
            _folder.Write(name, bytes);
    }
}
