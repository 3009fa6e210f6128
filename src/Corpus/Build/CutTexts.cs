namespace Elastic.Corpus.Build;

/// <summary>What is left of a text that several stages cut: what each of them cuts stays out.</summary>
internal static class CutTexts
{
    /// <summary>The pieces that all stages leave, in their order; null where no stage cut the text.</summary>
    /// <param name="cuts">Each stage that cut it, and what that left of the whole text, in order and apart.</param>
    public static IReadOnlyList<Range>? Rest(IEnumerable<(CuttingStage Stage, IReadOnlyList<Range> Left)> cuts)
    {
        IReadOnlyList<Range>? rest = null;
        var before = new List<CuttingStage>();
        foreach (var (stage, left) in cuts)
        {
            before.Add(stage);
            // What is left is in more and shorter pieces than any of the stages has seen.
            rest = rest is null ? left : before.Aggregate((IReadOnlyList<Range>)LeftRanges.Both(rest, left), (pieces, s) => s.Rest(pieces));
        }
        return rest;
    }
}
