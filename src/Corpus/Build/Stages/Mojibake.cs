using System.Text;
using System.Text.Unicode;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build.Stages;

/// <summary>
/// Mends text that was UTF-8 and was read as Windows-1252 ("cafÃ©" for "café"), once or several times over, and drops text with many
/// characters that nobody can mend. A line is mended only where all of it, as Windows-1252, is UTF-8 of other characters: text that merely
/// has such letters stays as it is. The stage stands before <c>clean</c>, which removes control characters that it needs.
/// </summary>
public sealed class Mojibake(MojibakeSettings settings) : Stage
{
    private const int MendedLines = 0, Lost = 1;

    // Somebody who reads and writes a text wrongly does it a few times.
    private const int MostRounds = 3;

    // Bytes 80 to 9F of Windows-1252; where it has no character (81, 8D, 8F, 90, 9D), Latin-1's control character stands for the byte.
    private const string Upper = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008DŽ\u008F\u0090‘’“”•–—˜™š›œ\u009DžŸ";

    private const int FirstUpper = 0x80;

    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<MojibakeSettings>("mojibake", 1,
        "Mends UTF-8 that was read as Windows-1252, and drops text with many characters that are lost.",
        settings => new Mojibake(settings));

    /// <inheritdoc/>
    public override IReadOnlyList<string> Signals { get; } = ["mended-lines", "lost-characters"];

    /// <inheritdoc/>
    public override double[] Read(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        var signals = new double[Signals.Count];
        if (!Ascii.IsValid(draft.Text))
        {
            var lines = draft.Text.Split('\n');
            for (var i = 0; i < lines.Length; i++)
            {
                StopSignal.Look(i, draft.Cancel);
                if (Mended(lines[i]) is not { } mended)
                    continue;
                lines[i] = mended;
                signals[MendedLines]++;
            }
            if (signals[MendedLines] > 0)
                draft.Text = string.Join('\n', lines);
        }
        signals[Lost] = Thresholds.Share(draft.Text.AsSpan().Count('\uFFFD'), draft.Text.Length);
        return signals;
    }

    /// <inheritdoc/>
    public override string? Refusal(ReadOnlySpan<double> signals) =>
        Thresholds.Outside(signals[Lost], 0, settings.MostLost, "{0} of its characters are lost (U+FFFD)");

    // Null where there is nothing to mend.
    private static string? Mended(string line)
    {
        string? mended = null;
        for (var round = 0; round < MostRounds && Once(mended ?? line) is { } next; round++)
            mended = next;
        return mended;
    }

    private static string? Once(string line)
    {
        if (Ascii.IsValid(line))
            return null;
        var bytes = new byte[line.Length];
        for (var i = 0; i < bytes.Length; i++)
        {
            var at = Upper.IndexOf(line[i], StringComparison.Ordinal);
            if (at < 0 && line[i] > '\u00FF')
                return null;
            bytes[i] = (byte)(at >= 0 ? FirstUpper + at : line[i]);
        }
        // Text has no control characters: where they come out, something else went in.
        return Utf8.IsValid(bytes) && Encoding.UTF8.GetString(bytes) is var read && !read.Any(c => char.IsControl(c) && c != '\t')
            ? read : null;
    }
}

/// <summary>Block <c>mojibake</c>.</summary>
public sealed record MojibakeSettings : SettingsGroup
{
    [Setting("mojibake.most-lost", 0.01, """
        The largest share of characters that are U+FFFD: what stands where bytes were in no encoding, or in another one than was said.
        """)]
    [Between(0, 1)]
    public required double MostLost { get; init; }
}
