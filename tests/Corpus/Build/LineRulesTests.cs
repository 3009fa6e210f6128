using Elastic.Corpus.Build.Stages;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests.Build;

/// <summary>What mends or takes out lines: each rule with a line that it concerns, and one that it must leave alone.</summary>
public class LineRulesTests
{
    private static readonly MojibakeSettings MojibakeDefaults = SettingsRecord.DefaultsOf<MojibakeSettings>();
    private static readonly BoilerplateLinesSettings BoilerplateDefaults = SettingsRecord.DefaultsOf<BoilerplateLinesSettings>();

    [Theory]
    [InlineData("It is a cafÃ©.", "It is a café.")]
    [InlineData("itâ€™s â€œsoâ€\u009D", "it’s “so”")]
    [InlineData("itâ\u0080\u0099s read as Latin-1", "it’s read as Latin-1")]
    [InlineData("twice: cafÃƒÂ©", "twice: café")]
    [InlineData("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "привет")]
    [InlineData("æ—¥æœ¬", "日本")]
    [InlineData("cafÃ©\nand nothing here: Ã", "café\nand nothing here: Ã")]
    public void What_was_read_as_Windows_1252_is_mended_line_by_line(string text, string mended) =>
        Assert.Equal(mended, StageRun.Of(new Mojibake(MojibakeDefaults), text).Text);

    [Theory]
    [InlineData("It is a café, naïve and déjà vu: 5 €.")]
    [InlineData("« LA RÉALITÉ\u00A0» est là")]
    [InlineData("não, NÃO; Ângela; Übermut; Straße")]
    [InlineData("привет, κόσμε, 日本")]
    [InlineData("cafÃ© beside привет")]
    [InlineData("Â\u0085 would be a control character")]
    [InlineData("plain")]
    public void Text_that_only_looks_like_it_stays(string text)
    {
        var (left, why, signals) = StageRun.Of(new Mojibake(MojibakeDefaults), text);
        Assert.Equal((text, null, 0), (left, why, signals["mended-lines"]));
    }

    [Fact]
    public void One_lost_character_of_a_hundred_passes_and_one_more_does_not()
    {
        Assert.Null(StageRun.Of(new Mojibake(MojibakeDefaults), new string('x', 99) + "\uFFFD").Why);
        Assert.Equal("0.02 of its characters are lost (U+FFFD), and at most 0.01 are wanted",
            StageRun.Of(new Mojibake(MojibakeDefaults), new string('x', 98) + "\uFFFD\uFFFD").Why);
        Assert.Null(StageRun.Of(new Mojibake(MojibakeDefaults), new string('日', 99) + "\uFFFD").Why);
    }

    [Theory]
    [InlineData("WELCOME to Us")]                       // 8 of 11 letters
    [InlineData("2024-05-06 12:30")]
    [InlineData("1,024 comments")]
    [InlineData("12K Views")]
    [InlineData("Home")]
    [InlineData("Sign in to your account")]
    [InlineData("And so on. Read more...")]
    [InlineData("You have 3 items in cart today")]
    [InlineData("Share this one two three four five six seven eight")]
    public void Furniture_of_a_page_goes(string line)
    {
        var (left, _, signals) = StageRun.Of(new BoilerplateLines(BoilerplateDefaults), $"Before it.\n{line}\nAfter it.");
        Assert.Equal("Before it.\nAfter it.", left);
        Assert.True(signals["boilerplate-words"] > 0);
    }

    [Theory]
    [InlineData("HALF of us")]                          // 4 of 8 letters
    [InlineData("2024 was a year")]
    [InlineData("1,024 sheep")]
    [InlineData("Two words")]
    [InlineData("Share this one two three four five six seven eight nine")]
    [InlineData("日本語の文章には空白がない。")]
    [InlineData("مرحبا")]
    [InlineData("नमस्ते")]
    [InlineData("Вот так.")]
    public void A_line_by_one_unit_less_and_lines_of_other_scripts_stay(string line)
    {
        var text = $"Before it.\n\n{line}\nAfter it.";
        Assert.Equal((text, null, 0), StageRun.Of(new BoilerplateLines(BoilerplateDefaults), text) is var (left, why, signals)
            ? (left, why, signals["boilerplate-words"]) : default);
    }

    [Fact]
    public void Five_of_a_hundred_words_may_be_in_such_lines_and_six_may_not()
    {
        string Text(int lines) => string.Concat(Enumerable.Repeat("Home\n", lines))
            + string.Join(' ', Enumerable.Range(0, 100 - lines).Select(i => $"word{i}"));
        Assert.Null(StageRun.Of(new BoilerplateLines(BoilerplateDefaults), Text(5)).Why);
        Assert.Equal("0.06 of its words are in lines of boilerplate, and at most 0.05 are wanted",
            StageRun.Of(new BoilerplateLines(BoilerplateDefaults), Text(6)).Why);
    }
}
