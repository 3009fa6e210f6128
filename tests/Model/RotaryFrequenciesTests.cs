using Elastic.Messages.Settings;
using Elastic.Model.Networks;

namespace Elastic.Model.Tests;

/// <summary>
/// Frequencies of rotary positions against their closed forms, computed by the C library's functions. Tolerance: 1e-14 relative.
/// </summary>
public class RotaryFrequenciesTests
{
    private const int D = 64, Original = 4096;

    private const double Tolerance = 1e-14;

    [Fact]
    public void Without_stretching_pair_j_turns_by_theta_to_the_minus_2_j_over_D() => AgreeWith(Plain, Settings(RotaryScaling.None));

    [Fact]
    public void Linear_divides_all_frequencies()
        => AgreeWith(j => Plain(j) / 8, Settings(RotaryScaling.Linear));

    [Theory]
    [InlineData(100)]
    [InlineData(4096)]
    [InlineData(4097)]
    [InlineData(10_000)]
    public void Dynamic_raises_the_base_with_the_tokens_beyond_the_original_context(int tokens)
    {
        var stretched = Math.Max(tokens, Original) / (double)Original;
        var theta = 5e5 * Math.Pow(8 * stretched - 7, 64.0 / 62);
        AgreeWith(j => Math.Pow(theta, -2.0 * j / D), Settings(RotaryScaling.Dynamic), tokens);
        if (tokens <= Original)
            AgreeWith(Plain, Settings(RotaryScaling.Dynamic), tokens);
    }

    [Fact]
    public void Yarn_keeps_fast_pairs_divides_slow_ones_and_scales_by_the_logarithm_of_the_factor()
    {
        // Pair j turns 4096 theta^(-j/32) / 2π times: 32 times for j = 7.35 ..., once for j = 15.8 ...
        var settings = Settings(RotaryScaling.Yarn);
        var angles = RotaryFrequencies.Of(settings, D, 1);
        AgreeWith(j => Plain(j) * (j <= 7 ? 1 : j >= 16 ? 1 / 8.0 : 1 - (j - 7) / 9.0 + (j - 7) / 9.0 / 8), settings);
        Assert.Equal(0.1 * Math.Log(8) + 1, angles.Magnitude, Tolerance);
        Assert.Equal(1.25, RotaryFrequencies.Of(settings with { YarnAttention = 1.25 }, D, 1).Magnitude);
        // Both ends fall on the first pair: a step.
        AgreeWith(j => Plain(j) / (j == 0 ? 1 : 8), settings with { OriginalContext = 6 });
    }

    [Fact]
    public void Llama_3_keeps_short_wavelengths_divides_long_ones_and_goes_over_between_them()
        => AgreeWith(
            j =>
            {
                var (f, wavelength) = (Plain(j), 2 * Math.PI / Plain(j));
                if (wavelength < Original / 4.0)
                    return f;
                if (wavelength > Original)
                    return f / 8;
                var smooth = (Original / wavelength - 1) / 3;
                return (1 - smooth) * f / 8 + smooth * f;
            },
            Settings(RotaryScaling.Llama3));

    [Fact]
    public void Only_yarn_changes_the_magnitude()
        => Assert.All(
            Enum.GetValues<RotaryScaling>().Where(s => s != RotaryScaling.Yarn),
            scaling => Assert.Equal(1, RotaryFrequencies.Of(Settings(scaling), D, 10_000).Magnitude));

    private static double Plain(int j) => Math.Pow(5e5, -2.0 * j / D);

    private static RotarySettings Settings(RotaryScaling scaling) => ModelSettings.Defaults.Llama.Rotary with
    {
        Theta = 5e5,
        Scaling = scaling,
        Factor = 8,
        OriginalContext = Original,
    };

    private static void AgreeWith(Func<int, double> expected, RotarySettings settings, int tokens = 1)
    {
        var actual = RotaryFrequencies.Of(settings, D, tokens).Frequencies;
        Assert.Equal(D / 2, actual.Count);
        for (var j = 0; j < actual.Count; j++)
            Assert.Equal(1, actual[j] / expected(j), Tolerance);
    }
}
