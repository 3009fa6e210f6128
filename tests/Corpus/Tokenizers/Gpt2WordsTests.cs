using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using CsCheck;

namespace Elastic.Corpus.Tests;

public partial class Gpt2WordsTests
{
    [GeneratedRegex(
        @"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Published();

    [Theory]
    [InlineData("Hello world", "Hello| world")]
    [InlineData("it's we'll they've I'm you're he'd don't", "it|'s| we|'ll| they|'ve| I|'m| you|'re| he|'d| don|'t")]
    [InlineData("IT'S", "IT|'|S")]
    [InlineData("a  b", "a| | b")]
    [InlineData("a \n b", "a| \n| b")]
    [InlineData("a\nb", "a|\n|b")]
    [InlineData("a\n\nb", "a|\n|\n|b")]
    [InlineData("a   ", "a|   ")]
    [InlineData(" ", " ")]
    [InlineData("x=1+23!!", "x|=|1|+|23|!!")]
    [InlineData(" 'sum", " '|sum")]
    [InlineData("'", "'")]
    [InlineData("𝐀b", "𝐀b")]
    [InlineData("1𝟏x", "1𝟏|x")]
    public void Words_are_those_of_the_published_expression(string text, string words) => Assert.Equal(words.Split('|'), Split(text));

    [Fact]
    public void Random_text_of_every_plane_splits_like_the_published_expression_over_code_points() =>
        Texts.Any.Sample(text => Assert.Equal(SplitByExpression(text), Split(text)), iter: 30_000, threads: 1);

    [Fact]
    public void Every_character_of_the_basic_plane_is_of_the_kind_that_the_expression_gives_it()
    {
        for (var c = 0; c <= char.MaxValue; c++)
        {
            // Between two letters each kind of character splits differently.
            var text = $"a{(char)c}b{(char)c}{(char)c}1";
            if (!char.IsSurrogate((char)c))
                Assert.Equal(SplitByExpression(text), Split(text));
        }
    }

    private static List<string> Split(string text)
    {
        var words = new List<string>();
        for (int start = 0, end; start < text.Length; start = end)
        {
            end = Gpt2Words.EndOfWord(text, start);
            words.Add(text[start..end]);
        }
        return words;
    }

    // .NET expressions see UTF-16 units: each code point beyond the basic plane is stood for by one character of its category.
    private static List<string> SplitByExpression(string text)
    {
        var starts = new List<int>();
        var shadow = new StringBuilder();
        for (var i = 0; i < text.Length;)
        {
            starts.Add(i);
            var isPair = i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]);
            shadow.Append(!isPair ? (char.IsSurrogate(text[i]) ? '\uFFFD' : text[i]) : CharUnicodeInfo.GetUnicodeCategory(text, i) switch
            {
                <= UnicodeCategory.OtherLetter => 'x',
                UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => '7',
                _ => '*',
            });
            i += isPair ? 2 : 1;
        }
        starts.Add(text.Length);
        return [.. Published().Matches(shadow.ToString()).Select(m => text[starts[m.Index]..starts[m.Index + m.Length]])];
    }
}
