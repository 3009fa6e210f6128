using CsCheck;
using Elastic.Messages.Corpora;
using Elastic.Model.Batches;
using Elastic.Model.Networks;

namespace Elastic.Model.Tests;

public class SentencePairTests
{
    private const int Vocabulary = 50, Mask = 49, Class = 48, End = 47, None = MicroBatch.NotCounted;
    private const int Not = SampleElement.NotCounted, Begins = SampleElement.Begins, Continues = SampleElement.Continues;

    private static readonly DropoutSeed Step = new(42, 3, 1, 7);

    [Fact]
    public void A_pair_is_two_sentences_with_tokens_around_them_and_types_and_nothing_sees_the_filling()
    {
        var batch = Batching(10, Class).MicroBatches([Pair(10, [1, 2], [3, 4, 5]), Pair(10, [], [6])], 2)[0];
        Assert.Equal([Class, 1, 2, End, 3, 4, 5, End, End, End, /**/ Class, End, 6, End, End, End, End, End, End, End], Whole(batch));
        Assert.Equal([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, /**/ 0, 0, 1, 1, 0, 0, 0, 0, 0, 0], batch.Types!);
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, /**/ 0, 0, 0, 0, 1, 1, 1, 1, 1, 1], batch.Segments!);
        Assert.Equal(End, Batching(10, null).MicroBatches([Pair(10, [1], [2])], 1)[0].Inputs[0]);
    }

    [Fact]
    public void Pairs_that_are_too_long_lose_the_ends_of_the_longer_sentence() => (
        from context in Gen.Int[5, 24]
        from a in Gen.Int[0, 40]
        from b in Gen.Int[1, 40]
        select (context, a, b)).Sample(t =>
    {
        int[] first = [.. Enumerable.Range(0, t.a).Select(i => i % 20)], second = [.. Enumerable.Range(0, t.b).Select(i => 20 + i % 20)];
        // "longest_first" of the library that published models were trained with: token by token, the second of two equally long ones.
        var (left, right) = (first.ToList(), second.ToList());
        while (left.Count + right.Count + 3 > t.context)
            (left.Count > right.Count ? left : right).RemoveAt((left.Count > right.Count ? left : right).Count - 1);
        int[] expected = [Class, .. left, End, .. right, End];
        var batch = Batching(t.context, Class).MicroBatches([Pair(t.context, first, second)], 1)[0];
        Assert.Equal([.. expected, .. Enumerable.Repeat(End, t.context - expected.Length)], Whole(batch));
        Assert.Equal(right.Count + 1, batch.Types!.Sum());
    });

    [Fact]
    public void The_tokens_around_sentences_are_never_hidden_and_of_the_others_fifteen_of_a_hundred_are()
    {
        const int pairs = 3000, context = 16;
        var batch = Batching(context, Class).MicroBatches(
            [.. Enumerable.Range(0, pairs).Select(_ => Pair(context, [1, 2, 3, 4, 5], [6, 7, 8, 9]))], pairs, Step)[0];
        for (var i = 0; i < batch.Targets.Length; i++)
            Assert.True(batch.Targets[i] == None || i % context is (>= 1 and <= 5) or (>= 7 and <= 10));
        double all = pairs * 9, chosen = batch.StepTargets;
        Assert.Equal(0.15, chosen / all, 5 * Math.Sqrt(0.15 * 0.85 / all));
        Assert.Equal(
            Batching(context, Class).MicroBatches([Pair(context, [1], [2])], 1, Step)[0].Inputs,
            Batching(context, Class).MicroBatches([Pair(context, [1], [2])], 1, Step)[0].Inputs);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_pieces_of_a_word_are_hidden_together_each_in_its_own_way(bool inPairs)
    {
        const int samples = 4000, context = 16;
        int[] text = [1, 2, 3 | Continues, 4, 5 | Continues, 6 | Continues, 7, 8];
        var batch = Batching(context, Class).MicroBatches(
            [.. Enumerable.Range(0, samples).Select(_ => inPairs
                ? Pair(context, text, text[..4])
                : new Sample((int[])[.. text, .. Enumerable.Repeat(End | Not, context + 1 - text.Length)]))], samples, Step)[0];
        var (start, words, hidden, mixed) = (inPairs ? 1 : 0, 0.0, 0.0, 0.0);
        List<(int First, int Count)> all = [(0, 1), (1, 2), (3, 3), (6, 1), (7, 1)];
        if (inPairs)
            all.AddRange([(9, 1), (10, 2)]);
        for (var sample = 0; sample < samples; sample++)
            foreach (var (first, count) in all)
            {
                var at = sample * context + start + first;
                var isHidden = batch.Targets[at] != None;
                Assert.All(batch.Targets[at..(at + count)], target => Assert.Equal(isHidden, target != None));
                (words, hidden) = (words + 1, hidden + (isHidden ? 1 : 0));
                mixed += isHidden && batch.Inputs[at..(at + count)].Select(i => i == Mask).Distinct().Count() > 1 ? 1 : 0;
            }
        Assert.Equal(0.15, hidden / words, 5 * Math.Sqrt(0.15 * 0.85 / words));
        Assert.True(mixed > 0, "the pieces of a word were all read alike");
        // What is scored are tokens and nothing else.
        Assert.Equal(text.Select(SampleElement.TokenOf), Whole(batch)[start..(start + text.Length)]);
    }

    [Fact]
    public void A_block_that_begins_inside_a_word_begins_with_a_word()
    {
        var sample = new Sample((int[])[1 | Continues, 2, 3]);
        var batches = Enumerable.Range(0, 400).Select(step =>
            Batching(2, null).MicroBatches([sample], 1, new DropoutSeed(1, 0, 0, step))[0]).ToList();
        Assert.Contains(batches, b => b.Targets[0] != None && b.Targets[1] == None);
        Assert.Contains(batches, b => b.Targets[0] == None && b.Targets[1] != None);
    }

    [Fact]
    public void A_step_on_pairs_has_the_same_bits_whatever_the_devices_and_threads()
    {
        var model = Samples.Of("bert", 2, 4, 32, 16, Vocabulary);
        var random = new Random(3);
        int[] Words() => [.. Enumerable.Range(0, random.Next(1, 12)).Select(_ => random.Next(40))];
        IReadOnlyList<Sample> pairs = [.. Enumerable.Range(0, 10).Select(_ => Pair(16, Words(), Words()))];
        var batching = Architectures.Open(model).Batching;
        var gradients = new[] { 1, 3 }.Select(threads =>
        {
            using var vectors = Samples.Initialized(model);
            using var device = Samples.Device(vectors, model, threads: threads);
            device.Accumulate(batching.MicroBatches(pairs, 2, Step), Step);
            return Samples.GradientOf(device);
        }).ToList();
        Assert.Equal(gradients[0], gradients[1]);
        // The types reach the network: without them the gradient is another one.
        using var other = Samples.Initialized(model);
        using var without = Samples.Device(other, model);
        without.Accumulate([.. batching.MicroBatches(pairs, 2, Step).Select(b => b with { Types = null })], Step);
        Assert.NotEqual(gradients[0], Samples.GradientOf(without));
    }

    private static MaskedBatching Batching(int context, int? first) => new(Vocabulary, Mask, context, first);

    // As a corpus has it: T elements of the first sentence, T + 1 of the second.
    private static Sample Pair(int context, int[] first, int[] second)
    {
        var elements = Enumerable.Repeat(End, context).Concat(Enumerable.Repeat(End | Not, context + 1)).ToArray();
        first.AsSpan(0, Math.Min(context, first.Length)).CopyTo(elements);
        if (first.Length + 1 < context)
            elements[first.Length + 1] |= Begins;
        int[] answer = [.. second, End];
        answer.AsSpan(0, Math.Min(context, answer.Length)).CopyTo(elements.AsSpan(context + 1));
        return new Sample(elements);
    }

    // What was there before tokens were hidden.
    private static int[] Whole(MicroBatch batch) => [.. batch.Inputs.Zip(batch.Targets, (read, target) => target == None ? read : target)];
}
