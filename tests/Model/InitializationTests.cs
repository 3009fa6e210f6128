using Elastic.Kernels;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

public class InitializationTests
{
    [Fact]
    public void The_bits_of_a_seed_are_the_same_on_every_machine_and_another_seed_has_others()
    {
        using var vectors = Samples.Initialized(Samples.Tiny(), 7);
        using var other = Samples.Initialized(Samples.Tiny(), 8);
        // Golden: changing it changes what every run of every user computes.
        Assert.StartsWith("bbf1a105a0a9c4e7c9e4c99905b33050c54bd0842c435aa26d", Samples.DigestOf(vectors).Hex, StringComparison.Ordinal);
        Assert.NotEqual(Samples.DigestOf(vectors), Samples.DigestOf(other));
    }

    [Theory]
    [InlineData(0, 70_000)]
    [InlineData(65_500, 131_000)]
    [InlineData(131_071, 3)]
    public void Any_range_of_the_vector_has_the_bits_that_all_of_it_has(long first, int count)
    {
        using var vectors = Samples.Initialized(Samples.Tiny(), 7);
        count = (int)Math.Min(count, vectors.Layout.Length - first);
        var range = new float[count];
        range.AsSpan().Fill(9);
        Initialization.Fill(vectors.Layout, 7, first, range);
        Assert.Equal(vectors.Floats(VectorSet.Parameters, first, count).ToArray(), range);
    }

    [Theory]
    [InlineData(Gpt2Architecture.TokenEmbedding, 0.02)]
    [InlineData(Gpt2Architecture.PositionEmbedding, 0.01)]
    [InlineData("transformer.h.1.attn.c_attn.weight", 0.02)]
    [InlineData("transformer.h.1.mlp.c_proj.weight", 0.01)] // 0.02 / sqrt(2 * 2 layers)
    public void Weights_are_normal_with_the_deviation_of_their_kind(string name, double deviation)
    {
        using var vectors = Samples.Initialized(Samples.Tiny());
        var segment = vectors.Layout[name];
        var count = (int)segment.Count;
        var values = vectors.Floats(VectorSet.Parameters, segment.Offset, count).ToArray();
        Assert.Equal(0, values.Average(), 5 * deviation / Math.Sqrt(count));
        Assert.Equal(deviation, Math.Sqrt(values.Average(v => (double)v * v)), 4 * deviation / Math.Sqrt(count));
    }

    [Fact]
    public void Gains_are_one_biases_zero_and_padded_rows_of_the_vocabulary_zero()
    {
        using var vectors = Samples.Initialized(Samples.Tiny());
        Assert.All(Values(vectors, "transformer.h.0.ln_2.weight", 0), v => Assert.Equal(1f, v));
        Assert.All(Values(vectors, "transformer.h.0.mlp.c_fc.bias", 0), v => Assert.Equal(0f, v));
        Assert.Equal((128 - 97) * 32, Values(vectors, Gpt2Architecture.TokenEmbedding, 97 * 32).Length);
        Assert.All(Values(vectors, Gpt2Architecture.TokenEmbedding, 97 * 32), v => Assert.Equal(0f, v));
    }

    [Theory]
    [InlineData(0.5, 0.0)]
    [InlineData(0.975, 1.959963985)]
    [InlineData(0.9, 1.281551566)]
    [InlineData(1e-6, -4.753424309)]
    [InlineData(1e-15, -7.941345326)]
    public void Quantiles_of_the_normal_distribution_are_good_to_seven_digits(double p, double expected)
        => Assert.Equal(expected, Normal.Quantile(p), 1e-6);

    private static float[] Values(ReplicaVectors vectors, string name, int from)
    {
        var segment = vectors.Layout[name];
        return vectors.Floats(VectorSet.Parameters, segment.Offset + from, (int)(segment.End - segment.Offset) - from).ToArray();
    }
}
