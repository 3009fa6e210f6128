using System.Globalization;

namespace Elastic.CorpusFigures;

/// <summary>
/// Pairs of texts of known similarity, among texts that are like none, through the shipped stage; against the similarity of all pairs of
/// all texts, computed exactly by another way: sets of whole n-grams, not hashes.
/// </summary>
internal static class Recall
{
    private const int Words = 300, Gram = 5;
    private const double Threshold = 0.75;

    private static readonly double[] Targets = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95];

    public static void Run(int pairs)
    {
        var folder = Directory.CreateTempSubdirectory("elastic-bench-").FullName;
        try
        {
            var (texts, planted) = Plant(pairs);
            var exact = Similarities(texts);
            // With a threshold of 0 every candidate goes: what MinHash without a verification drops.
            var candidates = Builds.Of(folder, texts, ("threshold", "0"))
                .Where(r => r.Match is not null).Select(r => (r.Match!.Value, r.Id)).ToHashSet();
            var dropped = Builds.Of(folder, texts).Where(r => r.Match is not null).ToDictionary(r => r.Id);
            Console.WriteLine("| planted at | mean similarity | candidates | 1-(1-s^8)^14 | at 0.75 or above | of these dropped | recall | "
                + "dropped below 0.75 |");
            Console.WriteLine("|---|---|---|---|---|---|---|---|");
            foreach (var target in Targets)
            {
                var of = planted.Where(p => p.Target == target)
                    .Select(p => (p.First, p.Second, Similarity: exact[(p.First, p.Second)])).ToList();
                var wanted = of.Where(p => p.Similarity >= Threshold).ToList();
                var found = wanted.Count(p => dropped.ContainsKey(p.Second));
                Row($"{target:0.00}", $"{of.Average(p => p.Similarity):0.000}",
                    $"{(double)of.Count(p => candidates.Contains((p.First, p.Second))) / of.Count:0.000}",
                    $"{of.Average(p => 1 - Math.Pow(1 - Math.Pow(p.Similarity, 8), 14)):0.000}", $"{wanted.Count}", $"{found}",
                    wanted.Count == 0 ? "" : $"{(double)found / wanted.Count:0.000}",
                    $"{of.Count(p => p.Similarity < Threshold && dropped.ContainsKey(p.Second))}");
            }
            var right = dropped.Values.Count(r => exact.GetValueOrDefault((r.Match!.Value, r.Id)) >= Threshold);
            var all = exact.Count(p => p.Value >= Threshold);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{texts.Count} texts; of {all} pairs at {Threshold} or above {right} were found: recall {(double)right / all:0.000}, "
                + $"precision {(double)right / dropped.Count:0.000}; without the verification precision "
                + $"{(double)candidates.Count(c => exact.GetValueOrDefault(c) >= Threshold) / candidates.Count:0.000}"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Row(params string[] cells) => Console.WriteLine($"| {string.Join(" | ", cells)} |");

    // The later text of a pair has other words in places that lie apart, each of which changes five n-grams of the set.
    private static (List<string> Texts, List<(double Target, long First, long Second)> Planted) Plant(int pairs)
    {
        var random = new Random(17);
        string Word() => $"w{random.Next(200_000)}";
        var (texts, planted) = (new List<string>(), new List<(double, long, long)>());
        for (var pair = 0; pair < pairs; pair++)
        {
            foreach (var target in Targets)
            {
                var words = Enumerable.Range(0, Words).Select(_ => Word()).ToArray();
                planted.Add((target, texts.Count, texts.Count + 2));
                texts.Add(string.Join(' ', words));
                texts.Add(string.Join(' ', Enumerable.Range(0, Words / 3).Select(_ => Word())));
                // c of n n-grams stay: s = c / (2n - c).
                var grams = Words - Gram + 1;
                var changes = (grams - 2 * grams * target / (1 + target)) / Gram;
                var count = (int)changes + (random.NextDouble() < changes - (int)changes ? 1 : 0);
                foreach (var place in Enumerable.Range(0, Words / Gram).OrderBy(_ => random.Next()).Take(count))
                    words[place * Gram + Gram / 2] = "other" + Word();
                texts.Add(string.Join(' ', words));
            }
        }
        return (texts, planted);
    }

    // Of all pairs that share an n-gram: all others have a similarity of 0.
    private static Dictionary<(long, long), double> Similarities(List<string> texts)
    {
        var (sizes, holders) = (new int[texts.Count], new Dictionary<string, List<int>>(StringComparer.Ordinal));
        foreach (var (number, text) in texts.Index())
        {
            var words = text.Split(' ');
            var grams = Enumerable.Range(0, words.Length - Gram + 1).Select(i => string.Join(' ', words[i..(i + Gram)])).ToHashSet();
            sizes[number] = grams.Count;
            foreach (var gram in grams)
                (holders.TryGetValue(gram, out var known) ? known : holders[gram] = []).Add(number);
        }
        var common = new Dictionary<(long, long), int>();
        foreach (var numbers in holders.Values.Where(n => n.Count > 1))
        {
            for (var i = 1; i < numbers.Count; i++)
            {
                for (var j = 0; j < i; j++)
                    common[(numbers[j], numbers[i])] = common.GetValueOrDefault((numbers[j], numbers[i])) + 1;
            }
        }
        return common.ToDictionary(c => c.Key, c => (double)c.Value / (sizes[c.Key.Item1] + sizes[c.Key.Item2] - c.Value));
    }
}
