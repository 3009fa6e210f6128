namespace Elastic.Corpus.Build;

/// <summary>What becomes of a document.</summary>
/// <param name="Stage">The stage that dropped it, by its number; -1 for one that stays. Beyond the last one there is no stage.</param>
/// <param name="Match">The document that it was dropped for; null for none.</param>
/// <param name="Cluster">Documents of its cluster of duplicates, itself included.</param>
/// <param name="Left">What all stages leave of its text; null where it was not cut, or does not stay.</param>
internal readonly record struct Fate(int Stage, Removal? Match, int Cluster, IReadOnlyList<Range>? Left)
{
    /// <summary>What of the text is not taken out of it, whose rest stays one text; null for all of it.</summary>
    public IReadOnlyList<Range>? Within { get; init; }

    /// <summary>What becomes of a text of which only this is not taken out.</summary>
    /// <param name="within">Null for all of it.</param>
    /// <param name="isEnough">Whether a piece of so many characters stays, by the stages that cut the text.</param>
    /// <param name="emptied">In place of the stage, where nothing is left.</param>
    public Fate Trimmed(IReadOnlyList<Range>? within, Func<int, bool> isEnough, int emptied)
    {
        if (Stage >= 0 || within is null)
            return this;
        var left = Left?.Where(piece => LeftRanges.Both([piece], within).Sum(r => r.End.Value - r.Start.Value) is var length and > 0
            && isEnough(length)).ToList();
        return left?.Count == 0 || within.Count == 0 ? this with { Stage = emptied, Left = null }
            : this with { Left = left, Within = within };
    }

    /// <summary>The texts that a document becomes, none of them empty; null where it stays as it is.</summary>
    public IReadOnlyList<string>? Texts(string text)
    {
        if (Left is null && Within is null)
            return null;
        var within = Within;
        return within is null ? [.. Left!.Select(piece => Whole(text, piece))]
            : [.. (Left ?? [0..text.Length]).Select(piece => string.Concat(LeftRanges.Both([piece], within).Select(r => Whole(text, r)))
                .TrimStart('\r', '\n').TrimEnd()).Where(left => left.Length > 0)];
    }

    // Half of a pair of surrogates is no character.
    private static string Whole(string text, Range range)
    {
        var (start, length) = range.GetOffsetAndLength(text.Length);
        var end = start + length;
        if (start < end && char.IsLowSurrogate(text[start]))
            start++;
        if (start < end && end < text.Length && char.IsLowSurrogate(text[end]))
            end--;
        return text[start..end];
    }
}
