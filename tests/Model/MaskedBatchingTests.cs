using Elastic.Messages.Corpora;
using Elastic.Model.Batches;
using Elastic.Model.Evaluation;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;

namespace Elastic.Model.Tests;

public class MaskedBatchingTests
{
    private const int Vocabulary = 50, Mask = 49, None = MicroBatch.NotCounted;

    private static readonly DropoutSeed Step = new(42, 3, 1, 7);

    private static readonly MaskedBatching Masked = new(Vocabulary, Mask, context: 64);

    [Fact]
    public void Of_every_hundred_tokens_fifteen_are_predicted_twelve_of_them_from_the_mask()
    {
        const int places = 64, count = 3000;
        var batch = Masked.MicroBatches(Texts(count, places), count, Step)[0];
        double all = count * places, chosen = batch.Targets.Count(t => t != None);
        var masked = 0.0;
        var other = 0.0;
        for (var i = 0; i < batch.Targets.Length; i++)
        {
            // What is not chosen is read as it is, and the model predicts what was there.
            Assert.Equal(i % 40, batch.Targets[i] == None ? batch.Inputs[i] : batch.Targets[i]);
            masked += batch.Targets[i] != None && batch.Inputs[i] == Mask ? 1 : 0;
            other += batch.Targets[i] != None && batch.Inputs[i] != Mask && batch.Inputs[i] != batch.Targets[i] ? 1 : 0;
        }
        // Five standard deviations. A replacement is the mask or what it replaces once in fifty draws each.
        Assert.Equal(0.15, chosen / all, 5 * Math.Sqrt(0.15 * 0.85 / all));
        Assert.Equal(0.8 + 0.1 / 50, masked / chosen, 5 * Math.Sqrt(0.16 / chosen));
        Assert.Equal(0.1 * 48 / 50, other / chosen, 5 * Math.Sqrt(0.09 / chosen));
        Assert.Equal(chosen, batch.StepTargets);
        Assert.Null(batch.Segments);
    }

    [Fact]
    public void Micro_batches_leave_no_trace_and_every_step_hides_other_tokens()
    {
        var samples = Texts(12, 32);
        int[] All(int rows, DropoutSeed? draw) => [.. Masked.MicroBatches(samples, rows, draw).SelectMany(b => b.Inputs.Concat(b.Targets))];
        int[] Inputs(int rows, DropoutSeed? draw) => [.. Masked.MicroBatches(samples, rows, draw).SelectMany(b => b.Inputs)];
        Assert.All(new[] { 1, 4, 5 }, rows => Assert.Equal(Inputs(12, Step), Inputs(rows, Step)));
        Assert.Equal(All(4, null), All(4, null));
        DropoutSeed?[] draws =
            [null, Step, Step with { Seed = 43 }, Step with { Round = 4 }, Step with { Replica = 2 }, Step with { Step = 8 }];
        Assert.Equal(draws.Length, draws.Select(draw => string.Join(' ', Inputs(12, draw))).Distinct().Count());
        // Nor do two samples of a step with the same text.
        var two = Masked.MicroBatches([samples[0], samples[0]], 1, Step);
        Assert.NotEqual(two[0].Inputs, two[1].Inputs);
    }

    [Fact]
    public void What_fills_up_a_document_is_neither_predicted_nor_seen_and_documents_do_not_see_each_other()
    {
        const int not = SampleElement.NotCounted;
        int[] filled = [.. Enumerable.Range(0, 61).Select(i => i < 20 ? i : 20 | not)];
        int[] packed = [.. Enumerable.Range(0, 61).Select(i => i is 0 or 5 or 30 ? 1 | SampleElement.Begins : 1)];
        var batch = Masked.MicroBatches([new Sample(filled), new Sample(packed)], 2, Step)[0];
        Assert.Equal(Enumerable.Range(0, 60).Select(i => i < 20 ? 0 : 1), batch.Segments!.Take(60));
        Assert.Equal(Enumerable.Range(0, 60).Select(i => i < 5 ? 0 : i < 30 ? 1 : 2), batch.Segments!.Skip(60));
        Assert.All(batch.Targets[20..60], target => Assert.Equal(None, target));
        Assert.Contains(batch.Targets[..20], target => target != None);
        // All micro-batches have segments, so that they go through one network.
        Assert.All(Masked.MicroBatches([new Sample(filled), .. Texts(1, 60)], 1, Step), b => Assert.NotNull(b.Segments));
    }

    [Fact]
    public void Samples_of_other_lengths_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Masked.MicroBatches([.. Texts(1, 8), .. Texts(1, 9)], 1));
        Assert.Throws<ArgumentException>(() => new PairBatching().MicroBatches([new Sample(new int[8])], 1));
    }

    [Fact]
    public void Pairs_are_a_source_of_its_length_and_a_target_whose_filling_is_not_counted()
    {
        const int not = SampleElement.NotCounted, begins = SampleElement.Begins;
        int[] first = [5, 6, 9, 9 | begins, /**/ 9 | not, 7, 8, 9, 9 | not], second = [1, 2, 3, 4, /**/ 9 | not, 1, 2, 3, 4];
        var batches = new PairBatching().MicroBatches([new Sample(first), new Sample(second)], 1);
        Assert.Equal([[5, 6, 9, 9], [1, 2, 3, 4]], batches.Select(b => b.Sources!));
        Assert.Equal([[3], [4]], batches.Select(b => b.SourceLengths));
        Assert.Equal([[9, 7, 8, 9], [9, 1, 2, 3]], batches.Select(b => b.Inputs));
        Assert.Equal([[7, 8, 9, None], [1, 2, 3, 4]], batches.Select(b => b.Targets));
        Assert.All(batches, b => Assert.Equal(7, b.StepTargets));
    }

    // Lines that count up or down: a token's neighbours tell it, and by itself it is any of twenty.
    [Fact]
    public void BERT_predicts_hidden_tokens_a_nat_better_than_their_frequencies_do()
    {
        const int words = 20, places = 16;
        var model = Samples.Of("bert", 1, 2, 32, places, words + 1);
        var (architecture, random) = (Architectures.Open(model), new Random(5));
        using var vectors = Samples.Initialized(model);
        Samples.Train(
            architecture, new AdamW(Samples.Optimizer()), vectors, 1,
            Enumerable.Range(0, 300).Select(step => architecture.Batching.MicroBatches(Lines(32), 32, new DropoutSeed(1, 0, 0, step))),
            rate: step => 5e-3 * Math.Min(1, Math.Min(step / 20.0, (300 - step) / 150.0)));
        var text = Lines(64);
        using var device = Samples.Device(vectors, model);
        var score = device.Evaluate(architecture.Batching.MicroBatches(text, 64)[0]).Aggregate(ScoreSum.Add);
        var counts = text.SelectMany(s => s.Tokens.ToArray()).CountBy(token => token).Select(c => c.Value / (64.0 * (places + 1)));
        var entropy = -counts.Sum(p => p * Math.Log(p));
        Assert.InRange(entropy, 2.9, Math.Log(words));
        Assert.True(score.Mean < entropy - 1, $"{score.Mean:0.000} nats, where frequencies give {entropy:0.000}");

        IReadOnlyList<Sample> Lines(int count) => [.. Enumerable.Range(0, count).Select(_ =>
        {
            var (start, by) = (random.Next(words), random.Next(2) == 0 ? 1 : words - 1);
            return new Sample(Enumerable.Range(0, places + 1).Select(i => (start + i * by) % words).ToArray());
        })];
    }

    // Token i % 40 at place i of all texts together.
    private static IReadOnlyList<Sample> Texts(int count, int places) =>
        [.. Enumerable.Range(0, count).Select(text => new Sample(
            Enumerable.Range(0, places + 1).Select(place => (text * places + place) % 40).ToArray()))];
}
