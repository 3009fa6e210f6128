using System.Text;
using Elastic.Messages.Settings;
using ICU4N.Text;

namespace Elastic.Corpus.Build.Stages;

/// <summary>
/// Writes the same text in the same characters: line ends become '\n', control characters, byte order marks and white space at the ends of
/// lines go, at most one blank line stays in a row, and the normal form C of Unicode holds (of the version that the tables have, 10.0).
/// </summary>
public sealed class Clean : Stage
{
    private static readonly Normalize Composed = Normalizers.Form(Normalizer2.NFCInstance);

    private const char ByteOrderMark = '\uFEFF';

    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<CleanSettings>("clean", 1,
        "Line ends, control characters, blank lines and the normal form C of Unicode 10.0.", _ => new Clean());

    /// <inheritdoc/>
    public override double[] Read(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        var cleaned = new StringBuilder(draft.Text.Length);
        var (blank, number) = (0, 0);
        foreach (var line in draft.Text.AsSpan().EnumerateLines())
        {
            StopSignal.Look(number++, draft.Cancel);
            var kept = Without(line).TrimEnd();
            blank = kept.IsEmpty ? blank + 1 : 0;
            if (blank <= 1)
                cleaned.Append(kept).Append('\n');
        }
        draft.Text = Composed(cleaned.ToString().Trim('\n'));
        return [];
    }

    // Tabs stay: code is made of them.
    private static bool IsUnwanted(char c) => c == ByteOrderMark || (char.IsControl(c) && c != '\t');

    private static ReadOnlySpan<char> Without(ReadOnlySpan<char> line)
    {
        var first = 0;
        while (first < line.Length && !IsUnwanted(line[first]))
            first++;
        if (first == line.Length)
            return line;
        var kept = new StringBuilder(line.Length).Append(line[..first]);
        foreach (var c in line[first..])
        {
            if (!IsUnwanted(c))
                kept.Append(c);
        }
        return kept.ToString();
    }
}

/// <summary>Block <c>clean</c>: it has no settings of its own.</summary>
public sealed record CleanSettings : SettingsGroup;
