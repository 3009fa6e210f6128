using Elastic.Model.Generation;

namespace Elastic.Model.Tests;

public class TextGeneratorTests
{
    private static readonly float[] Logits = [1f, 3f, 2f, 3f, -1f];

    [Fact]
    public void An_empty_prompt_is_refused()
        => Assert.Throws<ArgumentException>(() => new TextGenerator(_ => Logits, 8, new SamplingSettings()).Continue([], 1).ToList());

    [Fact]
    public void Temperature_zero_takes_the_likeliest_token_and_the_lowest_of_equal_ones()
        => Assert.All(new[] { 0.0, 0.5, 0.999 }, u => Assert.Equal(1, TextGenerator.Choose(Logits, u, new SamplingSettings(0))));

    [Fact]
    public void Tokens_are_drawn_in_proportion_to_their_probability()
    {
        var counts = new int[Logits.Length];
        for (var i = 0; i < 10_000; i++)
            counts[TextGenerator.Choose(Logits, (i + 0.5) / 10_000, new SamplingSettings(2.0))]++;
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
    public void The_same_seed_gives_the_same_text_and_another_seed_another()
    {
        List<int> Text(ulong seed) => [.. new TextGenerator(_ => Logits, 8, new SamplingSettings(Seed: seed)).Continue([0], 40)];
        Assert.Equal(Text(1), Text(1));
        Assert.NotEqual(Text(1), Text(2));
    }

    [Fact]
    public void When_the_text_outgrows_the_context_the_model_sees_the_newest_tokens()
    {
        var seen = new List<int[]>();
        var generator = new TextGenerator(tokens => { seen.Add(tokens); return Logits; }, 3, new SamplingSettings(0));
        Assert.Equal([1, 1, 1], generator.Continue([7, 8], 3));
        Assert.Equal([[7, 8], [7, 8, 1], [8, 1, 1]], seen);
    }

    [Fact]
    public void The_end_token_ends_the_text_and_is_not_part_of_it()
        => Assert.Empty(new TextGenerator(_ => Logits, 8, new SamplingSettings(0)).Continue([0], 5, end: 1));

    private static IEnumerable<int> Drawn(SamplingSettings settings)
        => Enumerable.Range(0, 1000).Select(i => TextGenerator.Choose(Logits, (i + 0.5) / 1000, settings)).Distinct().Order();
}
