using System.Text.RegularExpressions;
using CsCheck;

namespace Elastic.Corpus.Tests;

public class PatternTests
{
    // .NET's matcher backtracks, and sees UTF-16; both give the same matches in text of the basic plane.
    [Theory]
    [InlineData(Samples.Gpt2Expression)]
    [InlineData(Samples.Llama3)]
    [InlineData(Samples.Gpt4o)]
    [InlineData("(?:a|ab)(?:c|bcd)?")]
    [InlineData("a+?b*?|b{2,3}?|(?:ba){1,2}")]
    [InlineData("(?:a?b?){2}c|a(?=b)|b(?!c)|[^a-c]")]
    [InlineData("(?:a|b|ab|(?:c|d)+)+c|d")]
    [InlineData(@"[\]\-x]|\x61\u0062|\p{Lu}\P{L}|\d\D")]
    public void Matches_are_those_of_a_backtracking_matcher(string expression)
    {
        var (pattern, regex) = (new Pattern(expression), new Regex(expression, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(10)));
        Gen.OneOf(Texts.BasicPlane, Gen.String[Gen.OneOf('a', 'b', 'c', 'd', '1', 'X', '-'), 0, 20]).Sample(text => Assert.Equal(
            regex.Matches(text).Select(m => (m.Index, m.Length)), Matches(pattern, text)), iter: 3000, threads: 1);
    }

    [Fact]
    public void A_character_beyond_the_basic_plane_is_one_character() =>
        Assert.Equal([(0, 3), (3, 2)], Matches(new Pattern(@"\p{L}{2}|."), "a𝐀😀"));

    [Theory]
    [InlineData("(a", "a ( without its )")]
    [InlineData("a)", "a ) without its (")]
    [InlineData("[a", "a [ without its ]")]
    [InlineData("[b-a]", "ends before it begins")]
    [InlineData("a++", "repeats a repetition")]
    [InlineData("^a", "\"^\" stands where it is not known")]
    [InlineData("a$", "\"$\" stands where it is not known")]
    [InlineData(@"(a)\1", "\"\\1\" is not known")]
    [InlineData(@"\bword", "\"\\b\" is not known")]
    [InlineData("(?<=a)b", "a group (?< is not known")]
    [InlineData("a(?!bc)", "looks ahead by more than one character")]
    [InlineData(@"\p{Han}", "is none of Unicode's categories")]
    [InlineData("[a&&b]", "a class inside a class")]
    [InlineData("a*", "matches where there is no character")]
    [InlineData("", "matches where there is no character")]
    [InlineData("a{1,5000}", "a repetition is none of")]
    [InlineData("(?:(?:a{1000}){1000}){1000}", "more than 10000 steps")]
    [InlineData("\\", "ends with a backslash")]
    public void What_is_not_known_is_refused(string expression, string why) => Refusal.Says(why, () => new Pattern(expression));

    [Fact]
    public void Groups_nested_a_thousand_deep_are_refused() =>
        Refusal.Says("nested more than 50 deep", () => new Pattern(new string('(', 1000) + "a" + new string(')', 1000)));

    // These take a backtracking matcher longer than the universe has been there.
    [Theory]
    [InlineData("(?:a+)+b|a")]
    [InlineData("(?:a|aa)+b|a")]
    [InlineData("(?:a?){30}a{30}")]
    public void No_text_makes_an_expression_explode(string expression)
    {
        var matches = Matches(new Pattern(expression), new string('a', 240));
        Assert.Equal(240, matches[^1].Index + matches[^1].Length);
    }

    [Fact]
    public void An_expression_that_reads_the_rest_of_the_text_for_each_match_is_refused() =>
        Refusal.Says("reads each character more than 256 times", () => Matches(new Pattern("a+b|a"), new string('a', 100_000)));

    private static List<(int Index, int Length)> Matches(Pattern pattern, string text)
    {
        var (matches, at, read) = (new List<(int, int)>(), 0, 0L);
        while (pattern.Find(text, at, ref read, out var start, out var end))
        {
            matches.Add((start, end - start));
            at = end;
        }
        return matches;
    }
}
