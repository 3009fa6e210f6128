using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Evaluation;
using Elastic.Model.Generation;
using Elastic.Model.Training;

namespace Elastic.Model.Tests;

/// <summary>
/// Tokens that are scored after others, in batches and token by token, against a plain loop over logits in double precision.
/// </summary>
public class RowScorerTests
{
    private static readonly ModelSettings Model = Samples.Tiny();

    [Fact]
    public void Rows_of_any_lengths_have_the_losses_of_a_plain_loop_and_both_scorers_agree()
    {
        using var vectors = Samples.Initialized(Model);
        vectors.CopyFrom(VectorSet.Parameters, 0, [.. Samples.Values(vectors.Parameters).Select(v => 3 * v)]);
        using var device = Samples.Device(vectors, Model);
        var random = new Random(11);
        var rows = Enumerable.Range(0, 150).Select(i =>
        {
            var before = Enumerable.Range(0, 1 + random.Next(30)).Select(_ => random.Next(Model.Vocabulary)).ToList();
            var scored = Enumerable.Range(0, 1 + random.Next(5)).Select(_ => random.Next(Model.Vocabulary)).ToList();
            // Half of the rows are what the model itself would write.
            for (var place = 0; i % 2 == 0 && place < scored.Count; place++)
                scored[place] = Likeliest(device, [.. before, .. scored[..place]], Model.Context - scored.Count + 1 + place);
            return ScoredRow.Of([.. before], [.. scored], Model.Context);
        }).ToList();

        var (nats, greedy) = (new RowScorer(device, 0).Nats(rows), new GreedyScorer(device).Scores(rows));
        Assert.Equal(rows.Count, greedy.Count);
        foreach (var (i, row) in rows.Index())
        {
            var (expected, isGreedy) = Plain(device, row);
            Assert.Equal(expected, nats[i], 1e-5 * Math.Max(1, expected));
            Assert.Equal(nats[i], greedy[i].Nats, 1e-7 * Math.Max(1, expected));
            Assert.Equal(isGreedy, greedy[i].IsGreedy);
        }
        Assert.InRange(greedy.Count(g => g.IsGreedy), 75, 100);
    }

    [Fact]
    public void Where_angles_depend_on_the_length_of_a_row_its_score_is_that_of_the_row_alone_without_padding()
    {
        var model = Samples.Llama(2, 4, 2, 32, 160, 97, l => l with
        {
            Rotary = l.Rotary with { Scaling = RotaryScaling.Dynamic, Factor = 4, OriginalContext = 40 },
        });
        using var vectors = Samples.Initialized(model);
        vectors.CopyFrom(VectorSet.Parameters, 0, [.. Samples.Values(vectors.Parameters).Select(v => 3 * v)]);
        using var device = Samples.Device(vectors, model);
        var random = new Random(12);
        // Shorter than the original context, as long, and longer; two of one length, which go through the network together.
        List<ScoredRow> rows = [.. ((int[])[20, 39, 40, 41, 50, 50, 64, 65, 100, 150, 160]).Select(
            count => new ScoredRow(Enumerable.Range(0, count + 1).Select(_ => random.Next(model.Vocabulary)).ToArray(), 3))];

        var nats = new RowScorer(device, 0).Nats(rows);
        Assert.All(rows.Index(), r =>
        {
            var tokens = r.Item.Tokens.ToArray();
            var alone = device.Losses(new MicroBatch(0, 1, tokens[..^1], tokens[1..], tokens.Length - 1));
            Assert.Equal(alone[^3..].Aggregate(0.0, (sum, loss) => sum + loss), nats[r.Index]);
        });
    }

    [Fact]
    public void The_newest_tokens_stay_where_not_all_have_room()
    {
        Assert.Equal([3, 4, 5, 6], ScoredRow.Of([1, 2, 3, 4], [5, 6], 3).Tokens.ToArray());
        Assert.Equal([4, 5, 6, 7], ScoredRow.Of([1, 2, 3, 4], [5, 6, 7], 3).Tokens.ToArray());
        Assert.Equal([4, 5], ScoredRow.Of([4], [5], 3).Tokens.ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => ScoredRow.Of([1], [5, 6, 7, 8], 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => ScoredRow.Of([], [5], 3));
    }

    [Fact]
    public void Probabilities_are_those_of_a_softmax_in_double_precision_and_of_equal_tokens_the_lower_number_is_the_likelier()
    {
        var random = new Random(2);
        float[] logits = [.. Enumerable.Range(0, 3001).Select(_ => (float)(8 * random.NextDouble() - 4))];
        (logits[2000], logits[17], logits[900]) = (5, 5, 4.5f);
        var log = Math.Log(logits.Sum(z => Math.Exp((double)z)));
        int[] tokens = [0, 17, 3000];
        Assert.All(tokens.Zip(LogProbabilities.Of(logits, tokens)), x => Assert.Equal(logits[x.First] - log, x.Second, 1e-6));
        Assert.Equal([17, 2000, 900], LogProbabilities.Likeliest(logits, 3));
        Assert.Equal(
            logits.Index().OrderByDescending(x => x.Item).ThenBy(x => x.Index).Take(5).Select(x => x.Index),
            LogProbabilities.Likeliest(logits, 5));
        Assert.Empty(LogProbabilities.Likeliest(logits, 0));
        Assert.Equal([1, 0], LogProbabilities.Likeliest([1f, 2f], 5));
    }

    private static (double Nats, bool IsGreedy) Plain(TrainingDevice device, ScoredRow row)
    {
        var (nats, isGreedy) = (0.0, true);
        for (var place = row.Tokens.Length - row.Scored; place < row.Tokens.Length; place++)
        {
            var (logits, token) = (device.Logits(row.Tokens.Span[..place]), row.Tokens.Span[place]);
            nats += Math.Log(logits.Sum(z => Math.Exp((double)z))) - logits[token];
            isGreedy &= Array.IndexOf(logits, logits.Max()) == token;
        }
        return (nats, isGreedy);
    }

    // After the newest `most` tokens, as many as the row will have before that place.
    private static int Likeliest(TrainingDevice device, int[] tokens, int most)
    {
        var logits = device.Logits(tokens.AsSpan(^Math.Min(most, tokens.Length)..));
        return Array.IndexOf(logits, logits.Max());
    }
}
