using System.Diagnostics;
using Elastic.Kernels;
using Elastic.Messages.Settings;
using Elastic.Model.Operators;

namespace Elastic.Model.Networks;

/// <summary>
/// The frequencies of rotary positions. Pair j of a head of D channels turns by f[j] = base^(-2 j / D) radians a token (Su et al. 2021,
/// section 3.2.2), unless positions are stretched from an original context of L tokens to s L:
///
///   linear   f / s (Chen et al. 2023)
///   dynamic  base (s T / L - (s - 1))^(D / (D - 2)) in place of base, for sequences of T tokens longer than L (Peng et al. 2023 on dynamic
///            scaling; the form with s is that of the transformers library, by which models were published)
///   yarn     f / s for slow pairs, f for fast ones, a straight line in j between; sine and cosine times 0.1 ln(s) + 1 (Peng et al. 2023;
///            the line in j rather than in turns is their released code's, by which models were published)
///   llama3   f / s, f and a straight line by turns within L, which are L f / 2π (the released code of Llama 3.1)
/// </summary>
internal static class RotaryFrequencies
{
    /// <summary>For sequences of so many tokens; only dynamic depends on it.</summary>
    /// <param name="headSize">D, even.</param>
    public static RotaryAngles Of(RotarySettings settings, int headSize, int tokens) => settings.Scaling switch
    {
        RotaryScaling.None => new RotaryAngles(Plain(settings.Theta, headSize)),
        RotaryScaling.Linear => new RotaryAngles(Each(settings, headSize, (_, f) => f / settings.Factor)),
        RotaryScaling.Dynamic => new RotaryAngles(Plain(DynamicBase(settings, headSize, tokens), headSize)),
        RotaryScaling.Yarn => new RotaryAngles(
            Yarn(settings, headSize), settings.YarnAttention ?? YarnMagnitude(settings.Factor, 1)),
        RotaryScaling.Llama3 => new RotaryAngles(Each(settings, headSize, (_, f) => Llama3(settings, f))),
        _ => throw new UnreachableException($"rotary scaling {settings.Scaling}"),
    };

    /// <summary>
    /// What yarn multiplies sines and cosines by: 0.1 m ln(s) + 1. Published configurations that have two m (mscale and mscale_all_dim)
    /// mean the quotient of theirs, as in the transformers library.
    /// </summary>
    public static double YarnMagnitude(double factor, double m) => factor <= 1 ? 1 : 0.1 * m * Elementary.Log(factor) + 1;

    private static unsafe double[] Plain(double @base, int headSize)
    {
        var frequencies = new double[headSize / 2];
        fixed (double* f = frequencies)
            Rotary.InverseFrequencies(f, frequencies.Length, @base);
        return frequencies;
    }

    private static double[] Each(RotarySettings settings, int headSize, Func<int, double, double> of) =>
        [.. Plain(settings.Theta, headSize).Select((f, j) => of(j, f))];

    private static double DynamicBase(RotarySettings settings, int headSize, int tokens)
    {
        var (s, D) = (settings.Factor, (double)headSize);
        return tokens <= settings.OriginalContext
            ? settings.Theta
            : settings.Theta * Elementary.Pow(s * tokens / settings.OriginalContext - (s - 1), D / (D - 2));
    }

    private static double[] Yarn(RotarySettings settings, int headSize)
    {
        // The pair, counted in fractions, that turns so often within the original context.
        double PairOf(double turns) => headSize * Elementary.Log(settings.OriginalContext / (turns * 2 * Math.PI))
            / (2 * Elementary.Log(settings.Theta));
        var first = Math.Max(Math.Floor(PairOf(settings.YarnBetas.First)), 0);
        var last = Math.Min(Math.Ceiling(PairOf(settings.YarnBetas.Second)), headSize - 1);
        // One pair apart at least by a little, so that the line is defined.
        var length = first == last ? 0.001 : last - first;
        return Each(settings, headSize, (j, f) =>
        {
            var slow = Math.Clamp((j - first) / length, 0, 1);
            return f / settings.Factor * slow + f * (1 - slow);
        });
    }

    private static double Llama3(RotarySettings settings, double f)
    {
        var (low, high) = (settings.Llama3Factors.First, settings.Llama3Factors.Second);
        var turns = settings.OriginalContext * f / (2 * Math.PI);
        var fast = Math.Clamp((turns - low) / (high - low), 0, 1);
        return (1 - fast) * f / settings.Factor + fast * f;
    }
}
