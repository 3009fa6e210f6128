using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using Elastic.Corpus.Build.Duplicates;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build.Stages;

/// <summary>
/// Takes paragraphs out of training documents that stand in an earlier one, or earlier in the same one, case and white space aside: menus,
/// notices and quotations, which no comparison of whole documents finds. As CCNet (Wenzek et al. 2020, section 3.2, "Deduplication") and
/// Dolma (Soldaini et al. 2024) do it, with a hash of 64 bits; both mean a line by a paragraph.
/// </summary>
public sealed class ParagraphDuplicates(ParagraphDuplicatesSettings settings) : TrimmingStage
{
    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<ParagraphDuplicatesSettings>("paragraph-duplicates", 1,
        "Takes out paragraphs, or lines, that stand in an earlier document, case and white space aside.",
        settings => new ParagraphDuplicates(settings));

    /// <inheritdoc/>
    public override string Reason => "each of its paragraphs stands in an earlier document";

    /// <summary>The length of the text, and each paragraph that is long enough to be looked for.</summary>
    public override byte[] Sketch(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        var runs = new List<(ulong, int, int)>();
        foreach (var (from, to) in Parts(draft.Text).Watched(draft.Cancel))
        {
            var words = Lines.Words(CodePoints.ToLower(draft.Text[from..to]));
            var same = string.Join(' ', words);
            if (same.Length >= settings.LeastCharacters && words.Length >= settings.LeastWords)
                runs.Add((XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(same)), from, to));
        }
        return RunSketch.Of(draft.Text.Length, runs);
    }

    /// <inheritdoc/>
    public override bool IsSketch(ReadOnlySpan<byte> sketch, int characters) => RunSketch.Is(sketch, characters);

    /// <inheritdoc/>
    public override IEnumerable<(long Number, IReadOnlyList<Range> Left)> Trim(IEnumerable<Candidate> candidates, StageWork work)
    {
        ArgumentNullException.ThrowIfNull(candidates);
        ArgumentNullException.ThrowIfNull(work);
        using var all = work.Sort<Part>((a, b) => (a.Hash, a.Number, a.From).CompareTo((b.Hash, b.Number, b.From)));
        foreach (var (number, sketch) in candidates)
        {
            var length = RunSketch.LengthOf(sketch);
            foreach (var (hash, from, to) in RunSketch.RunsOf(sketch))
                all.Add(new Part(hash, number, from, to, length));
        }
        using var repeated = work.Sort<Part>((a, b) => (a.Number, a.From).CompareTo((b.Number, b.From)));
        ulong? first = null;
        foreach (var part in all.Sorted())
        {
            if (part.Hash == first)
                repeated.Add(part);
            first = part.Hash;
        }
        var open = new List<Part>();
        foreach (var part in repeated.Sorted())
        {
            if (open.Count > 0 && open[0].Number != part.Number)
            {
                yield return (open[0].Number, Left(open));
                open.Clear();
            }
            open.Add(part);
        }
        if (open.Count > 0)
            yield return (open[0].Number, Left(open));
    }

    private static List<Range> Left(List<Part> gone)
    {
        var (left, start) = (new List<Range>(), 0);
        foreach (var part in gone)
        {
            if (part.From > start)
                left.Add(start..part.From);
            start = part.To;
        }
        if (start < gone[0].Length)
            left.Add(start..gone[0].Length);
        return left;
    }

    // Each paragraph, or line, with the blank lines behind it, which go with it; the first one also with those before it.
    private IEnumerable<(int From, int To)> Parts(string text)
    {
        var (from, isOpen, isFirst) = (-1, false, true);
        for (var at = 0; at < text.Length;)
        {
            var end = text.IndexOf('\n', at);
            var next = end < 0 ? text.Length : end + 1;
            var isBlank = text.AsSpan(at, next - at).IsWhiteSpace();
            if (!isBlank && from >= 0 && (!isOpen || settings.Unit == TextUnit.Line))
            {
                yield return (from, at);
                from = -1;
            }
            if (!isBlank && from < 0)
                (from, isFirst) = (isFirst ? 0 : at, false);
            isOpen = !isBlank;
            at = next;
        }
        if (from >= 0)
            yield return (from, text.Length);
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Part(ulong Hash, long Number, int From, int To, int Length);
}

/// <summary>What texts are compared by.</summary>
public enum TextUnit
{
    /// <summary>What blank lines separate.</summary>
    Paragraph,

    /// <summary>A line that is not blank.</summary>
    Line,
}

/// <summary>Block <c>paragraph-duplicates</c>.</summary>
public sealed record ParagraphDuplicatesSettings : SettingsGroup
{
    [Setting("paragraph-duplicates.unit", TextUnit.Paragraph, """
        paragraph, what blank lines separate, or line: of text with a paragraph a line, as crawls give it.
        """)]
    [ChangesReading]
    public required TextUnit Unit { get; init; }

    [Setting("paragraph-duplicates.least-characters", 100, """
        A paragraph of fewer characters stays wherever it stands: headings, answers of one word and the like belong to their text.
        """)]
    [Between(1, 1_000_000), ChangesReading]
    public required int LeastCharacters { get; init; }

    [Setting("paragraph-duplicates.least-words", 1, """
        A paragraph of fewer words stays, too, in languages that write spaces between them.
        """)]
    [Between(1, 1_000_000), ChangesReading]
    public required int LeastWords { get; init; }
}
