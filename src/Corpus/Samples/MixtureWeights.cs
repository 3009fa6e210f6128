using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus;

/// <summary>How often each source is read in an epoch, as <c>corpus.mixture</c> says it: once where it names no source.</summary>
internal sealed class MixtureWeights
{
    /// <summary>Why shards cannot be mixed.</summary>
    public const string OfSeveralSources =
        "corpus.mixture: the shards of this corpus mix sources (token shards of llm.c, or a corpus that was built without it): "
        + "name the text with corpus.sources, so that it is built anew; a run that may change its mixture is started with one, "
        + "e.g. with each source once";

    // An array and plain loops: a run that resumes waits for its first sample, and of that the compiler takes most. A dictionary with
    // numbers for values alone would cost it milliseconds.
    private readonly MixtureWeight[] _weights;

    /// <exception cref="ElasticException">A line is no weight.</exception>
    public MixtureWeights(IReadOnlyList<string> mixture)
    {
        _weights = new MixtureWeight[mixture.Count];
        for (var i = 0; i < _weights.Length; i++)
            _weights[i] = MixtureWeight.TryParse(mixture[i])
                ?? throw new ElasticException($"corpus.mixture: \"{OneLine.Of(mixture[i], 100)}\" is no weight: use e.g. books=1.5");
    }

    /// <summary>How often a source is read: as its own weight says, else that of the whole that it is a part of.</summary>
    public double EpochsOf(string source)
    {
        var (epochs, longest) = (1.0, -1);
        foreach (var weight in _weights)
        {
            if (weight.Source.Length > longest && IsOf(source, weight.Source))
                (epochs, longest) = (weight.Epochs, weight.Source.Length);
        }
        return epochs;
    }

    /// <param name="names">All sources of a complete corpus.</param>
    /// <exception cref="ElasticException">A weight names none of them.</exception>
    public void CheckNames(ICollection<string> names)
    {
        foreach (var weight in _weights)
        {
            var isThere = false;
            foreach (var name in names)
                isThere |= IsOf(name, weight.Source);
            if (!isThere)
                throw new ElasticException(
                    $"corpus.mixture names {OneLine.Of(weight.Source, 100)}, which is no source of the corpus, or is all held "
                    + "out: it has " + string.Join(", ", names.Take(30).Select(n => OneLine.Of(n, 60))));
        }
    }

    // "pile/Pile-CC" is of "pile": a source with subsets is in the corpus under the names of these.
    private static bool IsOf(string source, string named) =>
        source.StartsWith(named, StringComparison.Ordinal) && (source.Length == named.Length || source[named.Length] == '/');

    /// <param name="samples">Samples of an epoch of a complete corpus.</param>
    /// <exception cref="ElasticException">There is none.</exception>
    public static void CheckSamples(long samples)
    {
        if (samples == 0)
            throw new ElasticException("corpus.mixture leaves nothing to read: give a source that has text more than 0 times");
    }
}
