using Elastic.Messages.Corpora;
using Elastic.Model.Batches;
using Elastic.Model.Evaluation;
using Elastic.Model.Networks;

namespace Elastic.Model.Tests;

/// <summary>Scores by source, against losses that are added up target by target.</summary>
public class SampleScoreTests
{
    [Theory]
    [InlineData("gpt2", 1)]
    [InlineData("bert", 0)]
    [InlineData("transformer", 17)]
    public void Each_target_counts_for_the_source_of_the_element_that_it_is(string architecture, int firstTarget)
    {
        var model = Samples.Of(architecture, 1, 2, 16, 16, 97);
        using var vectors = Samples.Initialized(model);
        using var device = Samples.Device(vectors, model);
        var batching = Architectures.Open(model).Batching;
        Assert.Equal(firstTarget, batching.FirstTarget(16));
        var random = new Random(4);
        int Element(int place) => random.Next(97) | (place == 9 ? SampleElement.NotCounted : 0);
        var samples = Enumerable.Range(0, 6).Select(_ => model.ReadsPairs
            ? Samples.Pair(model, random) : new Sample(Enumerable.Range(0, 17).Select(Element).ToArray())).ToList();
        var owners = samples.Select(s => Enumerable.Range(0, s.Tokens.Length).Select(i => $"s{(i + 3) / 5 % 3}").ToArray()).ToList();
        var runs = owners.Select(o => (IReadOnlyList<SourceRun>)
            [.. Pieces(o).Select(piece => new SourceRun(piece.Source, piece.Count))]).ToList();

        var batch = Assert.Single(batching.MicroBatches(samples, 6));
        var (losses, scores) = (device.Losses(batch), SampleScore.Of(device, batch, runs));
        Assert.Equal(device.Evaluate(batch), scores.Select(s => s.Sum));
        foreach (var (row, score) in scores.Index())
        {
            var sums = new ScoreSums();
            foreach (var (source, _, sum) in score.Sources)
                sums.Merge(source, sum);
            var expected = Enumerable.Range(0, 16).Where(place => batch.Targets[row * 16 + place] != MicroBatch.NotCounted)
                .GroupBy(place => owners[row][firstTarget + place]).ToDictionary(
                    g => g.Key, g => (Nats: g.Sum(place => losses[row * 16 + place]), Targets: g.LongCount()));
            Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), sums.Names);
            Assert.All(expected, e => Assert.Equal(e.Value.Targets, sums[e.Key].Targets));
            Assert.All(expected, e => Assert.Equal(e.Value.Nats, sums[e.Key].Nats, 1e-9));
        }
        Assert.All(SampleScore.Of(device, batch, [.. samples.Select(_ => (IReadOnlyList<SourceRun>)[])]), s => Assert.Empty(s.Sources));
    }

    private static IEnumerable<(string Source, int Count)> Pieces(string[] owners)
    {
        for (var at = 0; at < owners.Length;)
        {
            var end = at;
            while (end < owners.Length && owners[end] == owners[at])
                end++;
            yield return (owners[at], end - at);
            at = end;
        }
    }
}
