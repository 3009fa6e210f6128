using Elastic.Corpus.Build;
using Elastic.Corpus.Build.Stages;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests.Build;

/// <summary>Each rule with a text that just passes, and one that fails by one unit.</summary>
public class GopherQualityTests
{
    private static readonly GopherQualitySettings Published = SettingsRecord.DefaultsOf<GopherQualitySettings>();

    [Fact]
    public void Fifty_words_pass_and_forty_nine_do_not()
    {
        Passes(Prose(50));
        Fails("it has 49 words, and 50 to 100000 are wanted", Prose(49));
        Passes(Prose(100_000));
        Fails("it has 100001 words, and 50 to 100000 are wanted", Prose(100_001));
    }

    [Fact]
    public void Words_of_three_characters_pass_and_of_less_do_not()
    {
        Passes("the and " + Repeat("abc", 48));
        Fails("its words have 2.98 characters, and 3 to 10 are wanted", "the and " + Repeat("abc", 47) + " ab");
        Passes("the and " + Repeat("abcdefghij", 46) + " abcdefghijklmnopq abcdefghijklmnopq");
        Fails("its words have 10.02 characters, and 3 to 10 are wanted",
            "the and " + Repeat("abcdefghij", 46) + " abcdefghijklmnopq abcdefghijklmnopqr");
    }

    [Fact]
    public void A_hash_or_an_ellipsis_for_each_tenth_word_passes_and_one_more_does_not()
    {
        foreach (var sign in new[] { "#", "...", "…" })
        {
            Passes(Repeat($"abc{sign}", 5) + " " + Prose(45));
            Fails("it has 0.12 hashes or ellipses a word, and at most 0.1 are wanted", Repeat($"abc{sign}", 6) + " " + Prose(44));
        }
    }

    [Fact]
    public void Nine_items_of_ten_lines_pass_and_ten_do_not()
    {
        string Lines(int items) => string.Join('\n', Enumerable.Range(0, 10).Select(i => (i < items ? "- " : "") + Prose(10)));
        Passes(Lines(9));
        Fails("1 of its lines are items of lists, and at most 0.9 are wanted", Lines(10));
    }

    [Fact]
    public void Three_of_ten_lines_may_end_in_an_ellipsis_and_four_may_not()
    {
        string Lines(int ends) => string.Join('\n', Enumerable.Range(0, 10).Select(i => Prose(10) + (i < ends ? "…" : "")));
        Passes(Lines(3));
        Fails("0.4 of its lines end in an ellipsis, and at most 0.3 are wanted", Lines(4));
    }

    [Fact]
    public void Four_of_five_words_with_a_letter_pass_and_one_less_does_not()
    {
        Passes(Prose(40) + " " + Repeat("123", 10));
        Fails("0.78 of its words have a letter, and at least 0.8 are wanted", Prose(39) + " " + Repeat("123", 11));
    }

    [Fact]
    public void Two_stop_words_pass_and_one_does_not_however_often_it_comes()
    {
        Passes("THE with " + Repeat("word", 48));
        Fails("it has 1 of the stop words, and at least 2 are wanted", "the The " + Repeat("word", 48));
    }

    [Fact]
    public void Another_language_passes_by_its_own_stop_words()
    {
        var german = "der und " + Repeat("Wort", 48);
        Fails("it has 0 of the stop words, and at least 2 are wanted", german);
        Assert.Null(RefusalOf(german, Published with { StopWords = ["der", "und"] }));
    }

    private static string Repeat(string word, int times) => string.Join(' ', Enumerable.Repeat(word, times));

    private static string Prose(int words) => "the and " + Repeat("word", words - 2);

    private static void Passes(string text) => Assert.Null(RefusalOf(text, Published));

    private static void Fails(string why, string text) => Assert.Equal(why, RefusalOf(text, Published));

    private static string? RefusalOf(string text, GopherQualitySettings settings)
    {
        var stage = new GopherQuality(settings);
        return stage.Refusal(stage.Read(new Draft(new DocumentFacts("source", "name", DocumentFormat.Text), text)));
    }
}
