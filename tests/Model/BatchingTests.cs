using Elastic.Messages.Corpora;
using Elastic.Model.Batches;
using Elastic.Model.Evaluation;

namespace Elastic.Model.Tests;

/// <summary>What samples say of their tokens, and what follows for the loss.</summary>
public class BatchingTests
{
    private const int Not = SampleElement.NotCounted, Begins = SampleElement.Begins, None = MicroBatch.NotCounted;

    [Fact]
    public void Targets_that_are_not_counted_are_none_and_the_step_counts_the_others()
    {
        var batches = Cut(rows: 2, [1, 2 | Not, 3, 4], [5, 6, 7, 8 | Not], [9 | Not, 10 | Not, 11 | Not, 12 | Not]);
        Assert.Equal([[1, 2, 3, 5, 6, 7], [9, 10, 11]], batches.Select(b => b.Inputs));
        Assert.Equal([[None, 3, 4, 6, 7, None], [None, None, None]], batches.Select(b => b.Targets));
        Assert.All(batches, b => Assert.Equal(4, b.StepTargets));
        Assert.All(batches, b => Assert.Null(b.Segments));
    }

    [Fact]
    public void A_document_is_a_segment_and_its_first_token_is_predicted_from_nothing()
    {
        var batch = Cut(rows: 2, [1, 2, 3 | Begins, 4, 5 | Begins], [1 | Begins, 2, 3, 4, 5])[0];
        Assert.Equal([2, None, 4, None, 2, 3, 4, 5], batch.Targets);
        Assert.Equal([0, 0, 1, 1, 1, 1, 1, 1], batch.Segments!);
        Assert.Equal(6, batch.StepTargets);
    }

    [Fact]
    public void A_step_that_counts_nothing_has_no_loss_and_no_gradient()
    {
        var model = Samples.Tiny();
        using var vectors = Samples.Initialized(model);
        using var device = Samples.Device(vectors, model);
        var batches = Cut(rows: 1, [.. Enumerable.Repeat(3 | Not, 9)]);
        Assert.Equal([0.0], device.Accumulate(batches, default));
        Assert.All(Samples.GradientOf(device), g => Assert.Equal(0, g));
    }

    // The step's loss is one mean over all counted targets: how they are spread over micro-batches does not matter, but for rounding.
    [Fact]
    public void With_unequal_counts_the_gradient_is_that_of_the_whole_batch()
    {
        var model = Samples.Tiny();
        using var vectors = Samples.Initialized(model);
        var random = new Random(3);
        // Of the four samples 16, 1, 0 and 9 targets count.
        int[][] samples = [.. new[] { 16, 1, 0, 9 }.Select(counted => Enumerable.Range(0, 17)
            .Select(i => random.Next(model.Vocabulary) | (i > counted ? Not : 0)).ToArray())];
        var whole = Gradient(4);
        foreach (var rows in new[] { 1, 2, 3 })
        {
            var (loss, gradient) = Gradient(rows);
            Assert.Equal(whole.Loss, loss, 1e-6 * whole.Loss);
            var largest = whole.Gradient.Max(Math.Abs);
            for (var i = 0; i < gradient.Length; i++)
                Assert.Equal(whole.Gradient[i], gradient[i], 1e-6 * largest);
        }

        (double Loss, float[] Gradient) Gradient(int rows)
        {
            using var device = Samples.Device(vectors, model);
            var batches = Cut(rows, samples);
            Assert.Equal(26, batches[0].StepTargets);
            var loss = device.Accumulate(batches, default).Sum() / batches[0].StepTargets;
            var (roots, layout) = (device.Roots, new Vectors.FlatLayout(device.Architecture.Parameters));
            device.FoldSlice(roots, batches.Count, Vectors.Slice.Split(layout, 1)[0]);
            return (loss, Samples.Values(roots[0].Gradient));
        }
    }

    [Fact]
    public void An_evaluation_scores_what_is_counted_and_nothing_else()
    {
        var model = Samples.Tiny();
        using var vectors = Samples.Initialized(model);
        using var device = Samples.Device(vectors, model);
        int[] text = [.. Enumerable.Range(1, 9)];
        var all = device.Evaluate(Cut(1, text)[0])[0];
        var last = device.Evaluate(Cut(1, [.. text.Select((t, i) => i < 8 ? t | Not : t)])[0])[0];
        var first = device.Evaluate(Cut(1, [.. text.Select((t, i) => i == 8 ? t | Not : t)])[0])[0];
        Assert.Equal((8L, 1L, 7L), (all.Targets, last.Targets, first.Targets));
        Assert.Equal(all.Nats, ScoreSum.Add(first, last).Nats, 1e-12);
        Assert.InRange(last.Nats, 1, 10);
    }

    private static IReadOnlyList<MicroBatch> Cut(int rows, params int[][] samples) =>
        new CausalBatching().MicroBatches([.. samples.Select(s => new Sample(s))], rows);
}
