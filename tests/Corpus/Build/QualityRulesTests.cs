using Elastic.Corpus.Build.Stages;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests.Build;

/// <summary>Each rule with a text that just passes, and one that fails by one unit.</summary>
public class QualityRulesTests
{
    private static readonly C4Settings PublishedC4 = SettingsRecord.DefaultsOf<C4Settings>();
    private static readonly FineWebQualitySettings PublishedFineWeb = SettingsRecord.DefaultsOf<FineWebQualitySettings>();
    private static readonly GopherRepetitionSettings PublishedGopher = SettingsRecord.DefaultsOf<GopherRepetitionSettings>();

    [Theory]
    [InlineData("Three words here.", true)]
    [InlineData("Two words.", false)]
    [InlineData("There is no end", false)]
    [InlineData("It was cut off...", false)]
    [InlineData("He said \"it is so.\"", true)]
    [InlineData("Please enable JavaScript to go on.", false)]
    [InlineData("This page uses cookies for everything.", false)]
    public void C4_keeps_the_lines_that_are_sentences(string line, bool stays) =>
        Assert.Equal(stays ? line : "", StageRun.Of(new C4(PublishedC4), line).Text);

    [Fact]
    public void C4_takes_marks_of_citations_out() =>
        Assert.Equal("It is so since long.", StageRun.Of(new C4(PublishedC4), "It is so[12] since[citation needed] long.[edit]").Text);

    [Fact]
    public void C4_wants_five_sentences_and_four_are_too_few()
    {
        const string Sentence = "This is a sentence! ";
        Assert.Null(StageRun.Of(new C4(PublishedC4), string.Concat(Enumerable.Repeat(Sentence, 5))).Why);
        Assert.Equal("it has 4 sentences, and at least 5 are wanted",
            StageRun.Of(new C4(PublishedC4), string.Concat(Enumerable.Repeat(Sentence, 4))).Why);
        Assert.Equal(2, StageRun.Of(new C4(PublishedC4), "It is 3.14 (so they say.) Is it really so?!").Signals["sentences"]);
    }

    [Theory]
    [InlineData("Lorem ipsum dolor sit amet.", "it has the filler text lorem ipsum")]
    [InlineData("if (so) { go(); }", "it has a curly bracket, as code has")]
    public void C4_drops_filler_and_code_unless_told_otherwise(string text, string why)
    {
        Assert.Equal(why, StageRun.Of(new C4(PublishedC4), text).Why);
        var lenient = PublishedC4 with { DropFiller = false, DropBrackets = false, LeastSentences = 0 };
        Assert.Null(StageRun.Of(new C4(lenient), text).Why);
    }

    [Fact]
    public void FineWeb_wants_punctuation_at_the_end_of_twelve_of_a_hundred_lines()
    {
        string Text(int ends) => string.Join('\n', Enumerable.Range(0, 100).Select(i => Long(i) + (i < ends ? "." : "")));
        Assert.Null(FineWeb(Text(12)));
        Assert.Equal("0.11 of its lines end in punctuation, and at least 0.12 are wanted", FineWeb(Text(11)));
    }

    [Fact]
    public void FineWeb_knows_the_punctuation_of_other_scripts() =>
        Assert.Null(FineWeb(string.Join('\n', "これは三十文字よりも長い日本語の文章であり、行の終わりには句点がある。 あ い う",
            "यह हिंदी में एक वाक्य है जो तीस अक्षरों से लंबा है और दंड से समाप्त होता है।")));

    [Fact]
    public void FineWeb_allows_sixty_seven_of_a_hundred_lines_to_be_short()
    {
        string Text(int few) => string.Join('\n', Enumerable.Range(0, 100)
            .Select(i => i < few ? $"it is {i:00} and no more of these." : Long(i) + "."));
        Assert.Null(FineWeb(Text(67)));
        Assert.Equal("0.68 of its lines are short, and at most 0.67 are wanted", FineWeb(Text(68)));
    }

    [Fact]
    public void FineWeb_counts_characters_in_repeated_lines()
    {
        string Text(int times) => string.Join('\n',
            Enumerable.Range(0, 90).Select(i => Long(i) + ".").Concat(Enumerable.Repeat(Long(1000) + ".", times)));
        Assert.Null(FineWeb(Text(11)));
        Assert.Equal("0.108 of its characters are in repeated lines, and at most 0.1 are wanted", FineWeb(Text(12)));
    }

    [Fact]
    public void FineWeb_allows_three_line_ends_for_ten_words()
    {
        string Text(int lines) => string.Join('\n', Enumerable.Range(0, lines + 1).Select(i => i == 0
            ? string.Join(' ', Enumerable.Range(0, 100 - lines).Select(n => $"word{n}")) + "."
            : $"a-very-long-word-of-a-line-number-{i}."));
        Assert.Null(FineWeb(Text(30)));
        Assert.Equal("it has 0.31 line ends for each word, and at most 0.3 are wanted", FineWeb(Text(31)));
    }

    [Fact]
    public void Gopher_allows_three_of_ten_lines_and_paragraphs_to_be_repetitions()
    {
        // Repeated lines of one character, so that their characters and words are few.
        string Text(int repeated, string end) => string.Join(end,
            Enumerable.Range(0, 10 - repeated).Select(i => i == 0 ? "z" : Long(i)).Concat(Enumerable.Repeat("z", repeated)));
        Assert.Null(Gopher(Text(3, "\n")));
        Assert.Equal("0.4 of its lines are repetitions, and at most 0.3 are wanted", Gopher(Text(4, "\n")));
        Assert.Equal("0.4 of its paragraphs are repetitions, and at most 0.3 are wanted",
            StageRun.Of(new GopherRepetition(PublishedGopher with { MostLines = 1 }), Text(4, "\n\n")).Why);
    }

    // "aa bb" is 4 of all characters each time that it comes; the others come once.
    [Fact]
    public void Gopher_allows_a_fifth_of_the_characters_to_be_in_the_most_frequent_two_words()
    {
        string Text(int times, int others) => string.Join(' ', Enumerable.Range(0, times).Select(i => $"aa bb x{i:00}y")
            .Append(string.Concat(Enumerable.Repeat("o", others))));
        // 3 x 4 of 60 characters, then of 59.
        Assert.Null(Gopher(Text(3, 36)));
        Assert.Equal("0.203 of its characters are in its most frequent 2 words, and at most 0.2 are wanted", Gopher(Text(3, 35)));
    }

    [Fact]
    public void Gopher_counts_what_a_sequence_of_words_repeats_once_where_repetitions_overlap()
    {
        // Ten words, then the first five of them again: 5 of 15 characters; six words that repeat overlap in the sequences of five.
        var five = StageRun.Of(new GopherRepetition(PublishedGopher), "a b c d e f g h i j a b c d e").Signals;
        Assert.Equal(5.0 / 15, five["repeated-5-grams"]);
        Assert.Equal(0, five["repeated-6-grams"]);
        var six = StageRun.Of(new GopherRepetition(PublishedGopher), "a b c d e f g h i j a b c d e f").Signals;
        Assert.Equal((6.0 / 16, 6.0 / 16), (six["repeated-5-grams"], six["repeated-6-grams"]));
        Assert.Equal(6.0 / 6, StageRun.Of(new GopherRepetition(PublishedGopher), "a a a a a a").Signals["frequent-2-gram"]);
    }

    [Theory]
    [InlineData("Write to jane.doe+lists@mail.example.co.uk, please.", "Write to email@example.com, please.")]
    [InlineData("It answers at 8.8.8.8 and 10.1.2.3.", "It answers at 192.0.2.1 and 10.1.2.3.")]
    [InlineData("Version 1.2.3.4.5 of 300.1.1.1 is no address", "Version 1.2.3.4.5 of 300.1.1.1 is no address")]
    [InlineData("@home and a@b stay", "@home and a@b stay")]
    public void Addresses_are_masked_and_what_only_looks_like_one_is_not(string text, string masked) =>
        Assert.Equal(masked, StageRun.Of(new MaskPersonalData(), text).Text);

    [Fact]
    public void Clean_text_has_one_line_end_no_control_characters_and_one_normal_form() =>
        Assert.Equal("café\n\ntab\there", StageRun.Of(new Clean(), "\uFEFFcafe\u0301  \r\n\r\n\r\n\u0007tab\there\u0000\r\n").Text);

    private static string? FineWeb(string text) => StageRun.Of(new FineWebQuality(PublishedFineWeb), text).Why;

    private static string? Gopher(string text) => StageRun.Of(new GopherRepetition(PublishedGopher), text).Why;

    // A line of 35 characters that no other one is like.
    private static string Long(int number) => $"line{number:0000} with{number:0000} words{number:0000} it{number:0000}";
}
