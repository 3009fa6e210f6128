using Elastic.Kernels;
using Elastic.Model.Generation;

namespace Elastic.Model.Tests;

public class BeamSearchTests
{
    private const int End = 0;

    // A made-up model: the next token's probabilities by the tokens so far; what is left goes to a token that leads nowhere.
    private static readonly Dictionary<string, double[]> Chances = new()
    {
        [""] = [0, 0.5, 0.4, 0],
        ["1"] = [0.4, 0.3, 0.3, 0],
        ["2"] = [0.9, 0.05, 0.05, 0],
        ["11"] = [0.9, 0, 0.1, 0],
        ["12"] = [0.9, 0.1, 0, 0],
    };

    [Fact]
    public void One_beam_takes_the_likeliest_token_each_time()
    {
        var (tokens, z) = (new List<int>(), Logits([]));
        while (Array.IndexOf(z, z.Max()) is var next && next != End)
        {
            tokens.Add(next);
            z = Logits([.. tokens]);
        }
        Assert.Equal(tokens, Find(1, 0));
        Assert.Equal([1], tokens);                                               // 0.5 · 0.4
    }

    [Fact]
    public void More_beams_find_what_is_likelier_as_a_whole() => Assert.Equal([2], Find(2, 0));                // 0.4 · 0.9

    [Theory]
    [InlineData(2.0)]
    [InlineData(6.0)]
    public void A_length_penalty_prefers_longer_ones_as_the_equation_has_it(double alpha)
    {
        // With all beams that there are nothing is cut: the best of the whole tree.
        double Score(double probability, int length) => Math.Log(probability) / Math.Pow((5 + length) / 6.0, alpha);
        (double Score, int[] Tokens)[] all =
            [(Score(0.2, 2), [1]), (Score(0.36, 2), [2]), (Score(0.135, 3), [1, 1]), (Score(0.135, 3), [1, 2])];
        Assert.Equal(all.MaxBy(s => s.Score).Tokens, Find(8, alpha));
        Assert.Equal(alpha > 5 ? [1, 1] : [2], Find(8, alpha));
    }

    [Fact]
    public void Equal_scores_go_by_token_and_then_by_beam()
    {
        // All tokens are alike all the time: the lowest wins, first of the first beam.
        float[] Alike(int[] tokens) => tokens.Length < 3 ? [-50, 1, 1, 1] : [50, 0, 0, 0];
        Assert.Equal([1, 1], new BeamSearch(Each(Alike), new BeamSettings(2, 0)).Find(9, End, 5));
    }

    [Fact]
    public void At_the_limit_it_ends_without_an_end()
    {
        Assert.Equal([1, 1, 1], new BeamSearch(Each(_ => [-1000, 1, 0, 0]), new BeamSettings(3)).Find(9, End, 3));
        Assert.Empty(new BeamSearch(Each(_ => [5, 1, 0, 0]), new BeamSettings(1)).Find(9, End, 3));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(20)]
    public void It_keeps_what_sorting_all_continuations_keeps_ties_included(int beams)
    {
        const int Vocabulary = 11, Most = 6;
        // Few values, so that many are alike.
        float[] Some(int[] tokens)
        {
            var random = new Random(tokens.Aggregate(beams, (hash, token) => hash * 31 + token));
            float[] z = [.. Enumerable.Range(0, Vocabulary).Select(_ => (float)random.Next(3))];
            z[random.Next(1, Vocabulary)] = 2;
            return z;
        }
        (List<(double LogP, int[] Tokens)> live, List<(double LogP, int[] Tokens)> ended) = ([(0, [9])], []);
        for (var length = 1; length <= Most && live.Count > 0; length++)
        {
            var all = live.SelectMany((beam, parent) =>
            {
                var z = Some(beam.Tokens);
                var norm = 2 + Elementary.Log(Sum(z));                  // the largest is 2
                return z.Select((logit, token) => (LogP: beam.LogP + (logit - norm), token, parent));
            }).OrderByDescending(c => c.LogP).ThenBy(c => c.token).ThenBy(c => c.parent).Take(beams - ended.Count)
                .Select(c => (c.LogP, Tokens: (int[])[.. live[c.parent].Tokens, c.token])).ToList();
            ended.AddRange(all.Where(b => b.Tokens[^1] == End));
            live = [.. all.Where(b => b.Tokens[^1] != End)];
        }
        var best = ended.Concat(live).OrderByDescending(b => b.LogP).First();      // α = 0
        Assert.Equal(
            best.Tokens[1..].Where(t => t != End), new BeamSearch(Each(Some), new BeamSettings(beams, 0)).Find(9, End, Most));

        static double Sum(float[] z)
        {
            var sum = 0.0;
            foreach (var logit in z)
                sum += Elementary.Exp(logit - 2.0);
            return sum;
        }
    }

    private static IReadOnlyList<int> Find(int beams, double alpha) =>
        new BeamSearch(Each(tokens => Logits(tokens[1..])), new BeamSettings(beams, alpha)).Find(9, End, 6);

    private static Func<IReadOnlyList<int[]>, IReadOnlyList<float[]>> Each(Func<int[], float[]> logits) =>
        texts => [.. texts.Select(logits)];

    private static float[] Logits(int[] tokens)
    {
        var chances = Chances.GetValueOrDefault(string.Concat(tokens), [0.97, 0.01, 0.01, 0]);
        return [.. chances.Select((p, token) => (float)Math.Log(Math.Max(token == 3 ? 1 - chances.Sum() : p, 1e-30)))];
    }
}
