using System.Text;
using System.Text.RegularExpressions;
using CsCheck;
using Microsoft.ML.Tokenizers;
using SharpToken;

namespace Elastic.Corpus.Tests;

public class Gpt2TokenizerTests
{
    private const string Pattern = @"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private static readonly Elastic.Corpus.Tokenizer Gpt2 = Elastic.Corpus.Tokenizer.Open("gpt2");
    private static readonly GptEncoding SharpToken = GptEncoding.GetEncoding("r50k_base");
    private static readonly TiktokenTokenizer MicrosoftMl = OpenMicrosoftMl();

    // Published with the original encoder and its tests in other libraries.
    [Theory]
    [InlineData("", new int[0])]
    [InlineData("Hello world", new[] { 15496, 995 })]
    [InlineData("hello world", new[] { 31373, 995 })]
    [InlineData("Hello, my dog is cute", new[] { 15496, 11, 616, 3290, 318, 13779 })]
    // 17 zeros: (00, 0) merges before (00, 00), which a merge in order of appearance gets wrong.
    [InlineData("00000000000000000", new[] { 8269, 10535, 830 })]
    [InlineData("\n\n", new[] { 628 })]
    [InlineData("<|endoftext|>", new[] { 27, 91, 437, 1659, 5239, 91, 29 })]
    [InlineData("😀", new[] { 47249, 222 })]
    public void Published_vectors_hold_here_and_in_both_references(string text, int[] tokens)
    {
        Assert.Equal(tokens, Encode(text));
        Assert.Equal(tokens, SharpTokenEncode(text));
        Assert.Equal(tokens, MicrosoftMl.EncodeToIds(text));
    }

    [Fact]
    public void Random_text_of_the_basic_plane_equals_SharpToken() =>
        Texts.BasicPlane.Sample(text => Assert.Equal(SharpTokenEncode(text), Encode(text)), iter: 10_000, threads: 1);

    [Fact]
    public void Random_text_of_the_basic_plane_equals_Microsoft_ML() =>
        Texts.BasicPlane.Sample(text => Assert.Equal(MicrosoftMl.EncodeToIds(text), Encode(text)), iter: 10_000, threads: 1);

    [Fact]
    public void Any_text_comes_back_and_byte_counts_add_up() =>
        Texts.Any.Sample(text =>
        {
            var tokens = Encode(text);
            Assert.Equal(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)), Gpt2.Decode([.. tokens]));
            Assert.Equal(Encoding.UTF8.GetByteCount(text), tokens.Sum(Gpt2.ByteCount));
            Assert.DoesNotContain(Gpt2.EndOfText, tokens);
        }, iter: 20_000, threads: 1);

    [Fact]
    public void The_second_time_comes_from_the_cache_and_is_the_same() =>
        Texts.Any.Sample(text => Assert.Equal(Encode(text), Encode(text)), iter: 5_000, threads: 1);

    [Fact]
    public void Real_documentation_equals_SharpToken_and_Microsoft_ML()
    {
        var statistics = new ReadStatistics();
        var bytes = 0;
        foreach (var document in CorpusSources.Resolve([]).SelectMany(f => DocumentReader.Read(f, statistics)))
        {
            var tokens = Encode(document.Text);
            Assert.Equal(SharpTokenEncode(document.Text), tokens);
            Assert.Equal(MicrosoftMl.EncodeToIds(document.Text), tokens);
            if ((bytes += document.Text.Length) > 1_500_000)
                break;
        }
    }

    [Fact]
    public void Letters_beyond_the_basic_plane_are_letters()
    {
        // The original takes " 𠀀'" for a word and an apostrophe; a .NET expression sees three symbols, which may merge.
        Assert.Equal(Encode(" 𠀀").Concat(Encode("'")), Encode(" 𠀀'"));
    }

    [Fact]
    public void Long_words_equal_Microsoft_ML() =>
        Gen.String[Gen.OneOf('0', 'a', 'b', 'e', 'r'), 65, 400].Sample(
            word => Assert.Equal(MicrosoftMl.EncodeToIds(word), Encode(word)), iter: 300, threads: 1);

    [Fact]
    public void Long_words_of_letters_that_often_stand_together_equal_Microsoft_ML() =>
        Gen.OneOf("ing", "th", "e", "er", "a", "n", "ation", "s", "é", "中", "ß", "==", "--------").Array[1, 200].Select(string.Concat)
            .Sample(word => Assert.Equal(MicrosoftMl.EncodeToIds(word), Encode(word)), iter: 1000, threads: 1);

    [Fact]
    public void The_parts_of_a_merge_are_tokens_before_it_that_make_it()
    {
        var before = Enumerable.Range(0, 256).Select(b => Convert.ToHexString([(byte)b])).ToHashSet();
        foreach (var (left, right) in Gpt2Merges.Shared.Pairs())
        {
            Assert.Contains(Convert.ToHexString(left), before);
            Assert.Contains(Convert.ToHexString(right), before);
            Assert.True(before.Add(Convert.ToHexString([.. left, .. right])));
        }
        Assert.Equal(Gpt2Merges.Count, before.Count);
    }

    [Fact]
    public void Many_threads_share_one_tokenizer()
    {
        var texts = Enumerable.Range(0, 400)
            .Select(i => string.Concat(Enumerable.Range(0, 50).Select(j => $" word{i * j} don't 0{j}0")))
            .ToList();
        var expected = texts.ConvertAll(Encode);
        Assert.Equal(expected, texts.AsParallel().AsOrdered().WithDegreeOfParallelism(4).Select(Encode));
    }

    [Fact]
    public void A_token_outside_of_the_vocabulary_is_refused()
    {
        Assert.Equal((50257, 50256), (Gpt2.VocabularySize, Gpt2.EndOfText));
        Assert.Equal("", Gpt2.Decode([50256]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Gpt2.Decode([50257]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Gpt2.Decode([-1]));
    }

    private static List<int> Encode(string text)
    {
        var tokens = new List<int>();
        Gpt2.Encode(text, tokens);
        return tokens;
    }

    // No special token is special, so none is refused either.
    private static List<int> SharpTokenEncode(string text) => SharpToken.Encode(text, new HashSet<string>(), new HashSet<string>());

    private static TiktokenTokenizer OpenMicrosoftMl()
    {
        var assembly = typeof(GptEncoding).Assembly;
        var name = assembly.GetManifestResourceNames().Single(n => n.EndsWith("r50k_base.tiktoken", StringComparison.Ordinal));
        using var ranks = assembly.GetManifestResourceStream(name)!;
        var words = new Regex(Pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(10));
        return TiktokenTokenizer.Create(ranks, new RegexPreTokenizer(words, specialTokens: null), normalizer: null);
    }
}
