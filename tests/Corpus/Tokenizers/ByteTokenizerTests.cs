using System.Text;
using CsCheck;

namespace Elastic.Corpus.Tests;

public class ByteTokenizerTests
{
    private static readonly Tokenizer Bytes = Tokenizer.Open("byte");

    [Fact]
    public void An_unknown_tokenizer_names_those_that_exist() =>
        Refusal.Says("there is no tokenizer \"gpt5\": use byte or gpt2", () => Tokenizer.Open("gpt5"));

    [Fact]
    public void Tokens_are_the_UTF8_bytes_and_any_text_comes_back() =>
        Gen.String[Gen.Char, 0, 20_000].Sample(text =>
        {
            var tokens = new List<int>();
            Bytes.Encode(text, tokens);
            Assert.Equal(Encoding.UTF8.GetBytes(text).Select(b => (int)b), tokens);
            Assert.Equal(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)), Bytes.Decode([.. tokens]));
        }, iter: 30, threads: 1);

    [Fact]
    public void A_surrogate_pair_may_lie_across_two_pieces()
    {
        var tokens = new List<int>();
        var text = new string('a', 4095) + "😀";
        Bytes.Encode(text, tokens);
        Assert.Equal(text, Bytes.Decode([.. tokens]));
    }

    [Fact]
    public void Encoding_appends()
    {
        var tokens = new List<int> { 7 };
        Bytes.Encode("A", tokens);
        Assert.Equal([7, 65], tokens);
    }

    [Fact]
    public void End_of_text_is_the_last_token_and_no_text()
    {
        Assert.Equal((257, 256, 0), (Bytes.VocabularySize, Bytes.EndOfText, Bytes.ByteCount(256)));
        Assert.Equal("ab", Bytes.Decode([97, 256, 98]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Bytes.Decode([257]));
    }
}
