using Elastic.Corpus.Build.Stages;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests.Build;

/// <summary>Limits of rules, each met exactly and missed by one unit, with all other rules of the stage off.</summary>
public class QualityRulesLimitTests
{
    private static readonly GopherRepetitionSettings Published = SettingsRecord.DefaultsOf<GopherRepetitionSettings>();
    private static readonly GopherRepetitionSettings Off = SettingsRecord.Make<GopherRepetitionSettings>(_ => 1.0);

    [Theory]
    [InlineData(2, 10)]
    [InlineData(3, 9)]
    [InlineData(4, 8)]
    public void Gopher_s_most_frequent_words_may_be_so_many_of_the_characters(int n, int length)
    {
        // All of both occurrences: 2 n length of 100 n characters.
        var settings = SettingsRecord.Make<GopherRepetitionSettings>(s => s.Key == $"gopher-repetition.most-frequent-{n}-gram"
            ? s.Default : 1.0);
        Assert.Equal(length / 50.0, n switch { 2 => Published.MostFrequent2, 3 => Published.MostFrequent3, _ => Published.MostFrequent4 });
        Assert.Null(Why(settings, Twice(n, length, 100 * n)));
        Assert.Contains($"of its characters are in its most frequent {n} words, and at most {settings.MostFrequent(n)} are wanted",
            Why(settings, Twice(n, length, 100 * n - 1))!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(10)]
    public void Gopher_s_repeated_sequences_may_be_so_many_of_the_characters(int n)
    {
        // The second occurrence: n length of 100 n characters, with lengths of 15 to 10 for 5 to 10 words.
        var settings = SettingsRecord.Make<GopherRepetitionSettings>(s => s.Key == $"gopher-repetition.most-repeated-{n}-grams"
            ? s.Default : 1.0);
        Assert.Null(Why(settings, Twice(n, 20 - n, 100 * n)));
        Assert.Contains($"of its characters are in {n} words that it repeats, and at most {settings.MostRepeated(n)} are wanted",
            Why(settings, Twice(n, 20 - n, 100 * n - 1))!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\n", "lines", true)]
    [InlineData("\n\n", "paragraphs", false)]
    public void Gopher_s_repeated_lines_and_paragraphs_may_have_a_fifth_of_the_characters(string end, string what, bool isLines)
    {
        var settings = isLines ? Off with { MostLineCharacters = Published.MostLineCharacters }
            : Off with { MostParagraphCharacters = Published.MostParagraphCharacters };
        string Text(int others) => string.Join(end, new string('a', 20), new string('a', 20), new string('b', others));
        Assert.Null(Why(settings, Text(60)));
        Assert.Equal($"0.202 of its characters are in repeated {what}, and at most 0.2 are wanted", Why(settings, Text(59)));
    }

    [Fact]
    public void C4_keeps_words_of_a_thousand_characters_and_none_longer()
    {
        string Line(int length) => $"Two words {new string('x', length - 1)}.";
        var stage = new C4(SettingsRecord.DefaultsOf<C4Settings>());
        Assert.Equal(Line(1000), StageRun.Of(stage, Line(1000)).Text);
        Assert.Equal("", StageRun.Of(stage, Line(1001)).Text);
    }

    [Theory]
    [InlineData("It answers at 9.9.9.255.", "It answers at 192.0.2.1.")]
    [InlineData("It answers at 9.9.9.256.", "It answers at 9.9.9.256.")]
    [InlineData("11.0.0.0 and 10.255.255.255", "192.0.2.1 and 10.255.255.255")]
    [InlineData("a@b.de is one, and a@b.d is none", "email@example.com is one, and a@b.d is none")]
    public void An_address_is_masked_and_what_is_none_by_one_unit_is_not(string text, string masked) =>
        Assert.Equal(masked, StageRun.Of(new MaskPersonalData(), text).Text);

    [Fact]
    public void At_most_one_blank_line_stays_in_a_row() =>
        Assert.Equal("a\n\nb\n\nc", StageRun.Of(new Clean(), "a\n\nb\n\n\nc").Text);

    // The same n words of that length at the beginning and at the end, with one word between them that makes up the characters.
    private static string Twice(int n, int length, int characters)
    {
        var words = string.Join(' ', Enumerable.Range(0, n).Select(i => new string((char)('a' + i), length)));
        return $"{words} {new string('z', characters - 2 * n * length)} {words}";
    }

    private static string? Why(GopherRepetitionSettings settings, string text) => StageRun.Of(new GopherRepetition(settings), text).Why;
}
