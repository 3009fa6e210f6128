namespace Elastic.Corpus.Build;

/// <summary>What stages leave of texts, as ranges in order.</summary>
internal static class LeftRanges
{
    /// <summary>What is in both.</summary>
    public static List<Range> Both(IReadOnlyList<Range> first, IReadOnlyList<Range> second)
    {
        var both = new List<Range>();
        for (int i = 0, j = 0; i < first.Count && j < second.Count;)
        {
            var (a, b) = (first[i], second[j]);
            var (from, to) = (Math.Max(a.Start.Value, b.Start.Value), Math.Min(a.End.Value, b.End.Value));
            if (from < to)
                both.Add(from..to);
            _ = a.End.Value < b.End.Value ? i++ : j++;
        }
        return both;
    }
}
