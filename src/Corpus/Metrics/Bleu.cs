using System.Globalization;

namespace Elastic.Corpus;

/// <summary>A corpus's BLEU.</summary>
/// <param name="Score">0 to 100.</param>
/// <param name="Precisions">Precisions of n-grams of 1 to 4 words, percent; one without any common n-gram is smoothed.</param>
/// <param name="BrevityPenalty">0 to 1.</param>
/// <param name="HypothesisWords">Words of the hypotheses.</param>
/// <param name="ReferenceWords">Words of the references that are nearest in length.</param>
public sealed record BleuScore(
    double Score, IReadOnlyList<double> Precisions, double BrevityPenalty, long HypothesisWords, long ReferenceWords)
{
    /// <summary>E.g. "82.4/50.0/45.5/37.5 (BP = 0.943 ratio = 0.944 hyp_len = 17 ref_len = 18)".</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{string.Join('/', Precisions.Select(p => p.ToString("0.0", CultureInfo.InvariantCulture)))} (BP = {BrevityPenalty:0.000} " +
        $"ratio = {(ReferenceWords > 0 ? (double)HypothesisWords / ReferenceWords : 0):0.000} hyp_len = {HypothesisWords} " +
        $"ref_len = {ReferenceWords})");
}

/// <summary>
/// BLEU of a corpus of pairs (Papineni et al. 2002), as sacreBLEU defines it by default (Post 2018): <see cref="Tokenization13a"/>, with
/// upper and lower case, up to four words, counts clipped to the reference that has most of an n-gram, the length of the reference that is
/// nearest (of two, the shorter), and "exponential" smoothing: the k-th precision without any common n-gram is 1 / (2^k total).
/// </summary>
public sealed class Bleu
{
    private const int Orders = 4;

    private readonly long[] _common = new long[Orders], _total = new long[Orders];
    private long _hypothesisWords, _referenceWords;
    private int _references;

    /// <summary>What the score depends on, in sacreBLEU's notation.</summary>
    public string Signature => $"nrefs:{_references}|case:mixed|eff:no|tok:13a|smooth:exp";

    /// <summary>Counts a hypothesis and its references.</summary>
    /// <param name="references">One or more; as many for each hypothesis.</param>
    public void Add(string hypothesis, IReadOnlyList<string> references)
    {
        ArgumentNullException.ThrowIfNull(hypothesis);
        ArgumentNullException.ThrowIfNull(references);
        _references = references.Count;
        var words = Tokenization13a.Of(hypothesis);
        var others = references.Select(Tokenization13a.Of).ToList();
        _hypothesisWords += words.Count;
        _referenceWords += others.Select(o => o.Count).OrderBy(n => Math.Abs(n - words.Count)).ThenBy(n => n).First();
        for (var n = 1; n <= Orders; n++)
        {
            var own = Grams(words, n);
            var most = Grams(others[0], n);
            foreach (var other in others.Skip(1))
                most.RaiseTo(Grams(other, n));
            _total[n - 1] += own.Total;
            _common[n - 1] += own.Common(most);
        }
    }

    /// <summary>The score of all that was counted; 0 where no word is common.</summary>
    public BleuScore Score()
    {
        var brevity = _hypothesisWords >= _referenceWords ? 1
            : _hypothesisWords == 0 ? 0 : Math.Exp(1 - (double)_referenceWords / _hypothesisWords);
        var precisions = new double[Orders];
        var doubling = 1.0;
        for (var n = 0; n < Orders && _total[n] > 0 && _common.Any(c => c > 0); n++)
            precisions[n] = 100 * (_common[n] > 0 ? _common[n] : 1 / (doubling *= 2)) / _total[n];
        // Where hypotheses are shorter than four words, a precision is 0 and so is the score.
        var score = precisions.Contains(0) ? 0 : brevity * Math.Exp(precisions.Sum(Math.Log) / Orders);
        return new BleuScore(score, precisions, brevity, _hypothesisWords, _referenceWords);
    }

    private static NGrams Grams(IReadOnlyList<string> words, int n)
    {
        var grams = new NGrams();
        for (var i = 0; i + n <= words.Count; i++)
            grams.Add(string.Join(' ', words.Skip(i).Take(n)));                           // no word has a space
        return grams;
    }
}
