using System.Globalization;

namespace Elastic.Messages.Settings;

/// <summary>How often a source is read in an epoch: a line of <c>corpus.mixture</c>, e.g. "Wikipedia (en)=3".</summary>
/// <param name="Source">The source, as the corpus names it.</param>
/// <param name="Epochs">1 for once; 0 leaves it out; of a fraction some samples are read once more than the others.</param>
public readonly record struct MixtureWeight(string Source, double Epochs)
{
    /// <summary>The most times that a source may be read in an epoch.</summary>
    public const double MostEpochs = 1000;

    /// <summary>Reads a line; null where it is none.</summary>
    public static MixtureWeight? TryParse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        // A name may hold the sign itself.
        var sign = text.LastIndexOf('=');
        return sign > 0 && double.TryParse(text.AsSpan(sign + 1), NumberStyles.Float, CultureInfo.InvariantCulture, out var epochs)
            && epochs is >= 0 and <= MostEpochs ? new MixtureWeight(text[..sign].Trim(), epochs) : null;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Source}={Epochs}");
}

/// <summary>A list of <see cref="MixtureWeight"/>.</summary>
public sealed class MixtureAttribute : SettingCheckAttribute
{
    /// <inheritdoc/>
    public override bool Allows(object value)
    {
        var weights = ((IReadOnlyList<string>)value).Select(MixtureWeight.TryParse).ToList();
        return weights.TrueForAll(w => w is not null) && weights.DistinctBy(w => w!.Value.Source).Count() == weights.Count;
    }

    /// <inheritdoc/>
    protected override string Use(string kind) =>
        $"NAME=TIMES for each source once, TIMES from 0 to {SettingKind.Show(MixtureWeight.MostEpochs)}, e.g. "
        + "[books=1.5, web=1]";
}
