using Elastic.Corpus;
using Elastic.Messages.Corpora;
using Elastic.Messages.Runs;
using Elastic.Model.Evaluation;

namespace Elastic.Actors.Work;

/// <summary>The score of a model on held-out samples.</summary>
/// <param name="Sum">Sum over all samples.</param>
/// <param name="BitsPerByte">Bits per byte of the held-out text as a whole, from the mean of the samples.</param>
/// <param name="Sources">The score by source, in the order of their names; null where one source is all, or none is known.</param>
/// <param name="Languages">The score by language; null where one language is all, or none is known.</param>
internal sealed record HeldOutScore(ScoreSum Sum, double BitsPerByte, SourceScore[]? Sources, SourceScore[]? Languages)
{
    /// <param name="samples">Scores of the samples, which are merged in this order.</param>
    public static HeldOutScore Of(IReadOnlyList<SampleScore> samples, BuiltCorpus corpus)
    {
        var (sum, sources, languages) = (new ScoreSum(0, 0), new ScoreSums(), new ScoreSums());
        foreach (var sample in samples)
        {
            sum += sample.Sum;
            foreach (var (source, language, piece) in sample.Sources)
            {
                sources.Merge(source, piece);
                languages.Merge(language ?? LanguageCode.Unknown, piece);
            }
        }
        var heldOut = corpus.Manifest.HeldOut;
        var tokens = heldOut.Tokens - corpus.HeldOutShards.Sum(s => s.Uncounted);
        return new HeldOutScore(
            sum, Corpus.BitsPerByte.Of(sum.Mean, tokens, heldOut.Bytes), Told(sources), Told(languages));
    }

    // One alone says nothing.
    private static SourceScore[]? Told(ScoreSums sums) => sums.Names.Count > 1 ? Largest(sums) : null;

    // The smaller ones are one sum, in the order of their names, so that a score stays a small message.
    private static SourceScore[] Largest(ScoreSums sources)
    {
        var kept = sources.Names.OrderByDescending(n => sources[n].Targets).ThenBy(n => n, StringComparer.Ordinal)
            .Take(SourceScore.Most).ToHashSet(StringComparer.Ordinal);
        var merged = new ScoreSums();
        foreach (var name in sources.Names)
            merged.Merge(kept.Contains(name) ? name : SourceName.Others, sources[name]);
        return [.. merged.Names.Select(n => new SourceScore(n, merged[n].Nats, merged[n].Targets))];
    }
}
