using System.Globalization;
using System.Text.RegularExpressions;
using Elastic.Corpus;

namespace Elastic.Bench.TextStages;

/// <summary>
/// Text of HTML pages beside the same manual as plain text: words in common, each as often as both have it, as a share of the page's words
/// (precision) and of the manual's (recall), and their harmonic mean F1.
/// </summary>
internal static partial class MainTextTable
{
    public static void Print(string text, string pages, TextWriter output)
    {
        var wanted = Words(Read(text, mainText: false, new ReadStatistics()));
        foreach (var mainText in new[] { false, true })
        {
            var statistics = new ReadStatistics();
            var found = Words(Read(pages, mainText, statistics));
            var both = found.Sum(word => Math.Min(word.Value, wanted.GetValueOrDefault(word.Key)));
            var (precision, recall) = (both / (double)found.Values.Sum(), both / (double)wanted.Values.Sum());
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {(mainText ? "main" : "page")} | {statistics.Documents} | {statistics.MalformedRecords} "
                + $"| {precision:0.000} | {recall:0.000} | {2 * precision * recall / (precision + recall):0.000} |"));
        }
    }

    private static string Read(string path, bool mainText, ReadStatistics statistics) => string.Join('\n', CorpusSources.Resolve([path])
        .Select(f => f with { Reading = f.Reading with { MainText = mainText } })
        .SelectMany(f => DocumentReader.Read(f, statistics)).Select(d => d.Text));

    private static Dictionary<string, int> Words(string text) =>
        Word().Matches(text.ToLowerInvariant()).GroupBy(m => m.Value).ToDictionary(g => g.Key, g => g.Count());

    // A character of Chinese or Japanese is a word.
    [GeneratedRegex(@"[\p{IsHiragana}\p{IsKatakana}\p{IsCJKUnifiedIdeographs}]|[\p{L}\p{Nd}]+", RegexOptions.None, 60_000)]
    private static partial Regex Word();
}
