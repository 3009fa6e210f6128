using Elastic.Kernels;
using Elastic.Model.Generation;

namespace Elastic.Model.Tests;

public class TextGeneratorTests
{
    private static readonly float[] Logits = [1f, 3f, 2f, 3f, -1f];

    [Fact]
    public void An_empty_prompt_is_refused()
    {
        using var device = new FixedLogits(8, _ => Logits);
        using var generator = new TextGenerator(device, Logits.Length);
        Assert.Throws<ArgumentException>(() => generator.Add([], 1, new SamplingSettings()));
        Assert.Throws<ArgumentOutOfRangeException>(() => generator.Add([1], 0, new SamplingSettings()));
    }

    [Fact]
    public void Temperature_zero_takes_the_likeliest_token_and_the_lowest_of_equal_ones()
        => Assert.All(new[] { 0.0, 0.5, 0.999 }, u => Assert.Equal(1, Sampler.Choose(Logits, u, new SamplingSettings(0))));

    [Fact]
    public void Tokens_are_drawn_in_proportion_to_their_probability()
    {
        var counts = new int[Logits.Length];
        for (var i = 0; i < 10_000; i++)
            counts[Sampler.Choose(Logits, (i + 0.5) / 10_000, new SamplingSettings(2.0))]++;
        var weights = Logits.Select(z => Math.Exp(z / 2.0)).ToArray();
        for (var i = 0; i < counts.Length; i++)
            Assert.Equal(weights[i] / weights.Sum(), counts[i] / 10_000.0, 2e-4);
    }

    [Fact]
    public void Top_k_leaves_the_likeliest_k()
        => Assert.Equal([1, 2, 3], Drawn(new SamplingSettings(TopK: 3)));

    [Fact]
    public void Top_p_leaves_the_fewest_tokens_that_hold_the_share()
    {
        // Probabilities: 0.395 twice, 0.145, 0.053, 0.007.
        Assert.Equal([1], Drawn(new SamplingSettings(TopP: 0.1)));
        Assert.Equal([1, 3], Drawn(new SamplingSettings(TopP: 0.7)));
        Assert.Equal([1, 2, 3], Drawn(new SamplingSettings(TopP: 0.9)));
    }

    [Fact]
    public void Equal_logits_are_taken_by_number_and_the_order_is_that_of_a_sort()
    {
        var random = new Random(3);
        float[] logits =
            [.. Enumerable.Range(0, 5000).Select(_ => MathF.Round(random.NextSingle() * 20 - 10, 2)), 0f, -0f, 1e-40f, -1e-40f];
        var sorted = Enumerable.Range(0, logits.Length).OrderByDescending(i => logits[i]).ToArray();
        for (var k = 1; k < logits.Length; k += 97)
            Assert.Equal(sorted[k - 1], Sampler.Choose(logits, 1 - 1e-12, new SamplingSettings(1e9, TopK: k)));
    }

    [Fact]
    public void The_same_seed_gives_the_same_text_and_another_seed_or_sample_another()
    {
        List<int> Text(SamplingSettings settings) => Continue(_ => Logits, 8, [0], 40, settings);
        Assert.Equal(Text(new SamplingSettings(Seed: 1)), Text(new SamplingSettings(Seed: 1)));
        Assert.NotEqual(Text(new SamplingSettings(Seed: 1)), Text(new SamplingSettings(Seed: 2)));
        Assert.NotEqual(Text(new SamplingSettings(Seed: 1)), Text(new SamplingSettings(Seed: 1) { Sample = 1 }));
    }

    // On every machine: nothing of it is the C library's.
    [Fact]
    public void A_seed_gives_the_text_that_it_has_always_given()
    {
        var random = new KeyedRandom(5);
        float[] logits = [.. Enumerable.Range(0, 50).Select(i => (float)(8 * random.Uniform((ulong)i)))];
        Assert.Equal(
            [47, 23, 29, 34, 21, 32, 23, 21, 26, 15, 14, 32, 26, 6, 14, 15, 21],
            Continue(_ => logits, 8, [0], 17, new SamplingSettings(0.7, TopP: 0.95, Seed: 9)));
    }

    [Fact]
    public void A_repetition_penalty_divides_logits_of_tokens_that_the_text_has_and_multiplies_negative_ones()
    {
        // Token 1 is in the prompt: 3 / 2 is below token 3's 3; then 3, too, is penalized and 2, the logit of token 2, is the largest.
        var settings = new SamplingSettings(0) { RepetitionPenalty = 2 };
        Assert.Equal([3, 2, 1], Continue(_ => Logits, 8, [1], 3, settings));
        // -1 x 2 is less than -1.5.
        Assert.Equal([1], Continue(_ => [-1f, -1.5f], 8, [0], 1, settings));
    }

    [Fact]
    public void Frequency_and_presence_penalties_are_subtracted_for_tokens_that_were_drawn()
    {
        // The prompt does not count.
        Assert.Equal([1, 1, 0], Continue(_ => [2f, 3f], 8, [1], 3, new SamplingSettings(0) { FrequencyPenalty = 0.6 }));
        Assert.Equal([1, 0, 1, 1], Continue(_ => [2f, 3f], 8, [1], 4, new SamplingSettings(0) { PresencePenalty = 1.5 }));
    }

    [Fact]
    public void When_the_text_outgrows_the_context_the_model_sees_the_newest_tokens()
    {
        var seen = new List<int[]>();
        Assert.Equal([1, 1, 1], Continue(tokens => { seen.Add(tokens); return Logits; }, 3, [7, 8], 3, new SamplingSettings(0)));
        Assert.Equal([[7, 8], [7, 8, 1], [8, 1, 1]], seen);
    }

    [Fact]
    public void Tokens_of_the_model_that_are_no_text_are_not_drawn()
    {
        using var device = new FixedLogits(8, _ => Logits);
        using var generator = new TextGenerator(device, 1);
        generator.Add([0], 1, new SamplingSettings(0));
        Assert.Equal(0, Assert.Single(generator.Step()).Token);
    }

    [Fact]
    public void A_text_that_is_removed_leaves_the_others_alone()
    {
        using var device = new FixedLogits(8, _ => Logits);
        using var generator = new TextGenerator(device, Logits.Length);
        var (first, second) = (generator.Add([0], 5, new SamplingSettings(0)), generator.Add([2], 2, new SamplingSettings(0)));
        Assert.Equal([first, second], generator.Step().Select(d => d.Text));
        generator.Remove(first);
        generator.Remove(first);
        Assert.True(Assert.Single(generator.Step()).IsLast);
        Assert.Equal([2, 1, 1], second.Tokens);
        Assert.Empty(generator.Texts);
    }

    private static List<int> Continue(Func<int[], float[]> logits, int context, int[] prompt, int count, SamplingSettings settings)
    {
        using var device = new FixedLogits(context, logits);
        using var generator = new TextGenerator(device, 97);
        generator.Add(prompt, count, settings);
        var tokens = new List<int>();
        while (generator.Texts.Count > 0)
            tokens.AddRange(generator.Step().Select(d => d.Token));
        return tokens;
    }

    private static IEnumerable<int> Drawn(SamplingSettings settings)
        => Enumerable.Range(0, 1000).Select(i => Sampler.Choose(Logits, (i + 0.5) / 1000, settings)).Distinct().Order();
}
