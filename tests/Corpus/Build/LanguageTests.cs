using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Elastic.Corpus.Build;
using Elastic.Corpus.Build.Stages;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests.Build;

public class LanguageTests
{
    private static readonly LanguageSettings Defaults = SettingsRecord.DefaultsOf<LanguageSettings>();

    private static readonly (string Language, string Text)[] Sentences =
    [
        ("ar", "تبدأ القافلة رحلتها الطويلة قبل شروق الشمس بقليل"),
        ("bg", "Всяка сутрин рибарите излизат рано с малките си лодки"),
        ("cs", "Každé ráno vycházejí rybáři se svými malými loďkami na řeku"),
        ("de", "Jeden Morgen fahren die Fischer früh auf den See hinaus"),
        ("el", "Κάθε πρωί οι ψαράδες βγαίνουν νωρίς στη θάλασσα"),
        ("en", "Every morning the fishermen leave the harbour early"),
        ("es", "Cada mañana los pescadores salen temprano del puerto"),
        ("et", "Igal hommikul lähevad kalurid vara merele ja tulevad õhtul tagasi"),
        ("eu", "Goizero arrantzaleak goiz irteten dira itsasora"),
        ("fa", "هر روز صبح ماهیگیران زود از بندر بیرون می‌روند"),
        ("fi", "Joka aamu kalastajat lähtevät aikaisin merelle"),
        ("fr", "Chaque matin les pêcheurs quittent le port de bonne heure"),
        ("ga", "Gach maidin téann na hiascairí amach go luath ar an bhfarraige"),
        ("he", "בכל בוקר הדייגים יוצאים מוקדם מן הנמל"),
        ("hu", "Minden reggel korán indulnak a halászok a tóra"),
        ("is", "Á hverjum morgni fara sjómennirnir snemma út á hafið"),
        ("it", "Ogni mattina i pescatori lasciano presto il porto"),
        ("ja", "毎朝、漁師たちは早く港を出て海へ向かいます"),
        ("ko", "매일 아침 어부들은 일찍 항구를 떠나 바다로 나갑니다"),
        ("lt", "Kiekvieną rytą žvejai anksti išplaukia į jūrą"),
        ("lv", "Katru rītu zvejnieki agri dodas jūrā un vakarā atgriežas mājās"),
        ("nl", "Elke ochtend verlaten de vissers vroeg de haven"),
        ("pl", "Każdego ranka rybacy wcześnie wypływają z portu"),
        ("pt", "Todas as manhãs os pescadores saem cedo do porto"),
        ("ro", "În fiecare dimineață pescarii pleacă devreme din port"),
        ("ru", "Каждое утро рыбаки рано выходят в море"),
        ("sq", "Çdo mëngjes peshkatarët dalin herët në det dhe kthehen në mbrëmje"),
        ("sv", "Varje morgon lämnar fiskarna hamnen tidigt"),
        ("th", "ทุกเช้าชาวประมงออกจากท่าเรือแต่เช้าตรู่"),
        ("tr", "Her sabah balıkçılar erkenden limandan ayrılıyor"),
        ("uk", "Щоранку рибалки рано виходять у море"),
        ("vi", "Mỗi buổi sáng ngư dân rời bến cảng từ sớm"),
        ("zh", "每天早晨渔民们很早就离开港口出海去了"),
    ];

    private static readonly string German = Of("de"), English = Of("en"), Russian = Of("ru");

    [Fact]
    public void A_sentence_is_enough_in_thirty_three_languages_and_costs_are_the_same_on_every_machine()
    {
        var digest = new StringBuilder();
        foreach (var (language, text) in Sentences)
        {
            var (found, signals) = Read(Defaults, text);
            Assert.True(language == found, $"{language} is found to be {found}, with a margin of {signals["margin"]}");
            digest.Append(CultureInfo.InvariantCulture, $"{found} {signals["margin"]:R} {signals["letters"]}\n");
        }
        Assert.Equal("0ba446baed4e58b9", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(digest.ToString())))[..16]);
    }

    [Fact]
    public void Spelling_that_composes_otherwise_and_capitals_and_addresses_do_not_count()
    {
        const string Text = "Igal hommikul lähevad kalurid vara merele";
        string[] alike =
        [
            Text.Replace("ä", "a\u0308", StringComparison.Ordinal), Text.ToUpperInvariant(),
            $"https://www.example.com/where/english/words/are {Text} me@example.com",
        ];
        Assert.All(alike, text => Assert.Equal(Read(Defaults, Text).Signals, Read(Defaults, text).Signals));
        Assert.All(alike, text => Assert.Equal("et", Read(Defaults, text).Language));
    }

    [Fact]
    public void The_margin_is_a_mean_that_a_longer_text_does_not_make_larger()
    {
        var once = Read(Defaults, German).Signals;
        var often = Read(Defaults, string.Join(' ', Enumerable.Repeat(German, 20))).Signals;
        Assert.Equal(once["margin"], often["margin"]);
        Assert.Equal(20 * once["letters"], often["letters"]);
    }

    [Fact]
    public void A_character_of_Chinese_Japanese_or_Korean_counts_as_three_letters()
    {
        Assert.Equal([30, 30, 30, 10], new[] { "每天早晨渔民们很早就", "ひらがなをかきました", "매일아침어부들은일찍", "abcdefghij" }
            .Select(text => Read(Defaults, text).Signals["letters"]));
        Assert.Equal("zh", Read(Defaults, $"{Of("zh")}。{Of("zh")}。{Of("en")}").Language);
    }

    [Fact]
    public void Only_the_first_characters_are_looked_at()
    {
        var text = German + " " + string.Join(' ', Enumerable.Repeat(English, 5));
        Assert.Equal("en", Read(Few, text).Language);
        Assert.Equal("de", Read(Few with { Characters = German.Length }, text).Language);
        Assert.Equal(0, Read(Few with { Characters = 1 }, "\U0001F600").Signals["letters"]);
    }

    [Fact]
    public void A_margin_or_a_letter_too_few_leaves_the_language_unknown_and_the_policy_decides()
    {
        var signals = Read(Few, German).Signals;
        var (margin, letters) = (signals["margin"], (int)signals["letters"]);
        Assert.Null(Why(Few with { Unknown = UnknownLanguage.Drop, LeastMargin = margin, LeastLetters = letters }, German));
        Assert.Equal($"its language is not known: it has {letters} letters to tell it by, and at least {letters + 1} are wanted",
            Why(Few with { Unknown = UnknownLanguage.Drop, LeastLetters = letters + 1 }, German));
        Assert.Contains("its language is not known: two are ",
            Why(Few with { Unknown = UnknownLanguage.Drop, LeastMargin = Math.BitIncrement(margin) }, German)!, StringComparison.Ordinal);
        Assert.Null(Why(Few with { LeastLetters = letters + 1 }, German));
        Assert.Null(Read(Few with { LeastLetters = letters + 1 }, German).Language);
    }

    [Fact]
    public void What_a_source_states_holds_where_the_stage_is_not_sure_and_only_there()
    {
        Assert.Equal("pl", Read(Few with { LeastMargin = 100 }, German, stated: "pl").Language);
        Assert.Equal("de", Read(Few, German, stated: "pl").Language);
        var stage = new Language(Few with { LeastMargin = 100, Unknown = UnknownLanguage.Drop });
        Assert.Null(stage.Refusal(stage.Read(Draft(German, "pl"))));
    }

    [Fact]
    public void By_paragraph_the_language_is_that_of_most_letters_and_foreign_paragraphs_go_where_that_is_wanted()
    {
        var text = string.Join("\n\n", German, "* * *", Russian, German.Replace("früh", "spät", StringComparison.Ordinal));
        var settings = Few with { ByParagraph = true };
        var (language, signals) = Read(settings, text);
        Assert.Equal("de", language);
        Assert.InRange(signals["share"], 0.6, 0.8);
        Assert.Null(Read(settings with { LeastShare = 0.8 }, text).Language);
        var draft = Draft(text);
        new Language(settings with { Foreign = ForeignParagraphs.Cut }).Read(draft);
        Assert.Equal(text.Replace(Russian + "\n\n", "", StringComparison.Ordinal), draft.Text);
        // Without a language of its own nothing is foreign to it.
        var unknown = Draft(text);
        new Language(settings with { Foreign = ForeignParagraphs.Cut, LeastShare = 0.8 }).Read(unknown);
        Assert.Equal((text, null), (unknown.Text, unknown.Facts.Language));
        var kept = Draft(text);
        new Language(settings).Read(kept);
        Assert.Equal(text, kept.Text);
    }

    [Theory]
    [InlineData("candidates=xx,de", "language.candidates names xx, which there are no counts for: use some of af am ar ")]
    [InlineData("candidates=de,de", "language.candidates names a language twice: name each once")]
    [InlineData("candidates=de", "language.candidates names one language, and a document is in one of at least two")]
    [InlineData("foreign=cut", "language.foreign = cut needs language.by-paragraph = true")]
    public void What_cannot_be_is_refused(string keys, string problem) => Assert.Contains(
        problem, Assert.ThrowsAny<Foundation.ElasticException>(() => Manifests.Of([("a", "a")], $"language {keys}")).Message,
        StringComparison.Ordinal);

    // Quick to read.
    private static LanguageSettings Few => Defaults with { Candidates = ["de", "en", "pl", "ru"] };

    private static string Of(string language) => Sentences.Single(s => s.Language == language).Text;

    private static Draft Draft(string text, string? stated = null) =>
        new(new DocumentFacts("source", "name", DocumentFormat.Text) { Language = stated }, text);

    private static (string? Language, Dictionary<string, double> Signals) Read(
        LanguageSettings settings, string text, string? stated = null)
    {
        var (stage, draft) = (new Language(settings), Draft(text, stated));
        var signals = stage.Read(draft);
        return (draft.Facts.Language, stage.Signals.Zip(signals).ToDictionary(s => s.First, s => s.Second));
    }

    private static string? Why(LanguageSettings settings, string text)
    {
        var stage = new Language(settings);
        return stage.Refusal(stage.Read(Draft(text)));
    }
}
