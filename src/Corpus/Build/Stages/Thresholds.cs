using System.Globalization;

namespace Elastic.Corpus.Build.Stages;

/// <summary>The sentences of rules that compare a signal with a threshold.</summary>
public static class Thresholds
{
    /// <summary>Why a signal is not from least to most; null where it is.</summary>
    /// <param name="says">What is the case, with {0} for the signal: "it has {0} words". Names in it are <see cref="Literal"/>.</param>
    /// <param name="least">Infinite where there is no least.</param>
    /// <param name="most">Infinite where there is no most.</param>
    public static string? Outside(double signal, double least, double most, string says)
    {
        if (signal >= least && signal <= most)
            return null;
        var wanted = signal > most && (least == 0 || double.IsNegativeInfinity(least)) ? $"at most {Number(most)}"
            : double.IsPositiveInfinity(most) ? $"at least {Number(least)}"
            : $"{Number(least)} to {Number(most)}";
        return $"{string.Format(CultureInfo.InvariantCulture, says, Number(signal))}, and {wanted} are wanted";
    }

    /// <summary>
    /// A name that somebody has chosen, as a part of what <see cref="Outside"/> says: a brace in it begins no place of the signal.
    /// </summary>
    public static string Literal(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal);
    }

    /// <summary>A part of a whole; 0 where that is nothing.</summary>
    public static double Share(long part, long whole) => whole == 0 ? 0 : (double)part / whole;

    private static string Number(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);
}
