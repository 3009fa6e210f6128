using Elastic.Corpus;
using Elastic.Model.Evaluation;

namespace Elastic.Actors.Work;

/// <summary>The score of a model on held-out samples.</summary>
/// <param name="Sum">Of all samples.</param>
/// <param name="BitsPerByte">Of the held-out text as a whole, from the mean of the samples.</param>
internal sealed record HeldOutScore(ScoreSum Sum, double BitsPerByte)
{
    /// <param name="samples">Sums of the samples, which are merged in this order.</param>
    public static HeldOutScore Of(IEnumerable<ScoreSum> samples, BuiltCorpus corpus)
    {
        var sum = samples.Aggregate(new ScoreSum(0, 0), ScoreSum.Add);
        var heldOut = corpus.Manifest.HeldOut;
        var tokens = heldOut.Tokens - corpus.HeldOutShards.Sum(s => s.Uncounted);
        return new HeldOutScore(sum, Corpus.BitsPerByte.Of(sum.Mean, tokens, heldOut.Bytes));
    }
}
