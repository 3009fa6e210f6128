using System.Globalization;
using System.Text.Json;

namespace Elastic.Bench.Elasticity.Corpora;

/// <summary>
/// Sources of all kinds that a build treats in its own way, small enough to be built a hundred times: copies, near copies, texts that are
/// too short, texts that stand in an evaluation set, addresses, records that cannot be read.
/// </summary>
internal static class KilledSources
{
    private const int Files = 6, Documents = 40, Pages = 30, Words = 150;

    private static readonly string[] Vocabulary =
    [
        "the", "of", "and", "to", "with", "that", "have", "be", "river", "window", "garden", "letter", "number", "morning", "paper",
        "mountain", "question", "answer", "picture", "village", "summer", "winter", "people", "water", "stone", "bridge", "market",
        "harbour", "machine", "engine", "teacher", "student", "history", "science", "music", "silence", "colour", "travel", "journey",
    ];

    /// <summary>Writes them below a folder, with a manifest.</summary>
    /// <returns>The manifest's path.</returns>
    public static string Write(string folder)
    {
        var pages = Directory.CreateDirectory(Path.Combine(folder, "pages")).FullName;
        for (var file = 0; file < Files; file++)
            File.WriteAllLines(Path.Combine(folder, $"{file:00}.jsonl"), Records(file));
        for (var page = 0; page < Pages; page++)
            File.WriteAllText(
                Path.Combine(pages, $"{page:00}.html"), $"<html><body><h1>Page {page}</h1><p>{Text(5000 + page)}</p></body></html>");
        File.WriteAllLines(Path.Combine(folder, "questions.txt"), [.. Enumerable.Range(0, 12).Select(i => Text(3 + (20 * i))), Text(5003)]);
        var manifest = Path.Combine(folder, "web.conf");
        File.WriteAllText(manifest, """
            sources = [
              { name = records, paths = ["."], include = ["*.jsonl"], validation = 0.1, test = 0.1 }
              { name = pages, paths = [pages] }
            ]
            stages = [
              { stage = clean }
              { stage = language, candidates = [en, de] }
              { stage = gopher-quality, words = [20, 100000] }
              { stage = mask-personal-data }
              { stage = exact-duplicates }
              { stage = near-duplicates }
              { stage = decontaminate, against = [questions.txt] }
            ]
            """);
        return manifest;
    }

    private static IEnumerable<string> Records(int file)
    {
        for (var i = 0; i < Documents; i++)
        {
            var text = (i % 10) switch
            {
                1 => "too short",
                2 => Text((file * Documents) + i - 2),                                                       // a copy
                4 => Text((file * Documents) + i - 1).Replace("garden", "meadow", StringComparison.Ordinal),  // nearly one
                5 => Text((file * Documents) + i) + " Write to ann@example.org.",
                _ => Text((file * Documents) + i),
            };
            yield return i == 20 ? "{\"text\": broken" : JsonSerializer.Serialize(new { text });
        }
    }

    private static string Text(int seed)
    {
        var state = ((uint)seed * 2654435761u) + 12345u;
        return string.Join(' ', Enumerable.Range(0, Words).Select(i =>
        {
            state = (state * 1664525u) + 1013904223u;
            return Vocabulary[(int)((state >> 8) % (uint)Vocabulary.Length)] + (i % 12 == 11 ? "." : "");
        })) + string.Create(CultureInfo.InvariantCulture, $" Number {seed}.");
    }
}
