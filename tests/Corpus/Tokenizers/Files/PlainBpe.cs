namespace Elastic.Corpus.Tests;

/// <summary>
/// Byte-pair training as Sennrich et al. (2016, algorithm 1) print it: count all pairs anew for each merge, and join the most frequent one
/// everywhere. Ties go to the pair of the smaller numbers. Slow, and easy to see through.
/// </summary>
internal static class PlainBpe
{
    public static (List<string> Tokens, List<(string, string)> Merges) Train(
        IReadOnlyList<string> words, IReadOnlyList<string> characters, int most) =>
        Train(words.GroupBy(w => w).Select(g => (g.Key, (long)g.Count())).ToList(), characters, most);

    public static (List<string> Tokens, List<(string, string)> Merges) Train(
        IReadOnlyList<(string Word, long Count)> words, IReadOnlyList<string> characters, int most)
    {
        var tokens = characters.ToList();
        var numbers = tokens.Select((t, i) => (t, i)).ToDictionary(t => t.t, t => t.i);
        var texts = words.Select(w => (Symbols: w.Word.Select(c => numbers[c.ToString()]).ToList(), w.Count)).ToList();
        var merges = new List<(string, string)>();
        while (tokens.Count < most)
        {
            var pairs = new Dictionary<(int, int), long>();
            foreach (var (symbols, count) in texts)
                for (var i = 0; i + 1 < symbols.Count; i++)
                    pairs[(symbols[i], symbols[i + 1])] = pairs.GetValueOrDefault((symbols[i], symbols[i + 1])) + count;
            if (pairs.Count == 0)
                break;
            var best = pairs.OrderByDescending(p => p.Value).ThenBy(p => p.Key).First().Key;
            var joined = tokens[best.Item1] + tokens[best.Item2];
            if (!numbers.TryGetValue(joined, out var number))
            {
                number = numbers[joined] = tokens.Count;
                tokens.Add(joined);
            }
            merges.Remove((tokens[best.Item1], tokens[best.Item2]));
            merges.Add((tokens[best.Item1], tokens[best.Item2]));
            foreach (var (symbols, _) in texts)
                for (var i = 0; i + 1 < symbols.Count; i++)
                    if ((symbols[i], symbols[i + 1]) == best)
                    {
                        symbols[i] = number;
                        symbols.RemoveAt(i + 1);
                    }
        }
        return (tokens, merges);
    }
}
