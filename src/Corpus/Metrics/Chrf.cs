namespace Elastic.Corpus;

/// <summary>
/// chrF of a corpus of pairs (Popović 2015), as sacreBLEU defines its default chrF2 (Post 2018): n-grams of 1 to 6 characters without white
/// space, counted over all pairs; precision and recall are means over the orders that both sides have, and β = 2 weighs recall four times
/// as much. Of several references each hypothesis has the one that it agrees with best.
/// </summary>
public sealed class Chrf
{
    private const int Orders = 6;

    private readonly double _beta;
    private Counts[] _all = new Counts[Orders];
    private int _references;

    /// <summary>chrF2.</summary>
    public Chrf()
        : this(2)
    {
    }

    internal Chrf(double beta) => _beta = beta;

    // N-grams of one order.
    private readonly record struct Counts(long Hypothesis, long Reference, long Common)
    {
        public static Counts operator +(Counts a, Counts b)
            => new(a.Hypothesis + b.Hypothesis, a.Reference + b.Reference, a.Common + b.Common);
    }

    /// <inheritdoc cref="Bleu.Signature"/>
    public string Signature => $"nrefs:{_references}|case:mixed|eff:yes|nc:6|nw:0|space:no";

    /// <inheritdoc cref="Bleu.Add"/>
    public void Add(string hypothesis, IReadOnlyList<string> references)
    {
        ArgumentNullException.ThrowIfNull(hypothesis);
        ArgumentNullException.ThrowIfNull(references);
        _references = references.Count;
        var own = Grams(hypothesis);
        // Of equal ones, the first.
        var best = references.Select(r => Compare(own, Grams(r))).MaxBy(Score)!;
        _all = [.. _all.Zip(best, (a, b) => a + b)];
    }

    /// <summary>The score of all that was counted, 0 to 100.</summary>
    public double Score() => Score(_all);

    private double Score(Counts[] counts)
    {
        var both = counts.Where(c => c.Hypothesis > 0 && c.Reference > 0).ToList();
        if (both.Sum(c => c.Common) == 0)
            return 0;
        var precision = both.Average(c => (double)c.Common / c.Hypothesis);
        var recall = both.Average(c => (double)c.Common / c.Reference);
        var weight = _beta * _beta;
        return 100 * (1 + weight) * precision * recall / (weight * precision + recall);
    }

    // Of an order that the reference is too short for, the hypothesis's n-grams do not count, either.
    private static Counts[] Compare(NGrams[] hypothesis, NGrams[] reference)
        => [.. hypothesis.Zip(reference, (h, r) => new Counts(r.Total > 0 ? h.Total : 0, r.Total, h.Common(r)))];

    private static NGrams[] Grams(string text)
    {
        var characters = string.Concat(WhiteSpace.Split(text));
        // Where each character begins; some are two UTF-16 units.
        var starts = new List<int>();
        for (var i = 0; i < characters.Length; i += char.IsSurrogatePair(characters, i) ? 2 : 1)
            starts.Add(i);
        starts.Add(characters.Length);
        var grams = new NGrams[Orders];
        for (var n = 1; n <= Orders; n++)
        {
            grams[n - 1] = new NGrams();
            for (var i = 0; i + n < starts.Count; i++)
                grams[n - 1].Add(characters[starts[i]..starts[i + n]]);
        }
        return grams;
    }
}
