using System.Globalization;
using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.Host.Generation;
using Elastic.Host.Pbm;
using Elastic.Messages;
using Elastic.Model.Evaluation;

namespace Elastic.Host.Evaluation;

/// <summary>
/// Whether a model finds the last word of texts (Paperno et al. 2016, "The LAMBADA dataset"): it counts as found where each of its tokens
/// is the likeliest given all before it. Its perplexity is e to the mean cross-entropy of a word.
/// </summary>
internal static class LastWordEvaluation
{
    // Texts that are scored between two looks at whether to stop.
    private const int AtOnce = 32;

    /// <summary>Scores the texts and writes the numbers.</summary>
    /// <exception cref="ElasticException">The file cannot be read, or a text has no last word.</exception>
    public static void Run(TextModel model, string file, EvaluationOutput output, CancellationToken cancel)
    {
        using var opened = model.Open(new DeviceId("cpu:0"), Environment.ProcessorCount);
        var scorer = new GreedyScorer(opened.Device);
        var (sum, found) = (new ScoreSum(0, 0), 0L);
        foreach (var texts in Questions.Texts(file, "--last-word").Chunk(AtOnce))
        {
            cancel.ThrowIfCancellationRequested();
            foreach (var score in scorer.Scores([.. texts.Select(t => Row(model, t.Text, $"{file}:{t.Line}"))]))
            {
                sum += new ScoreSum(score.Nats, 1);
                found += score.IsGreedy ? 1 : 0;
            }
            output.Progress(_ => $"scored {Units.Count(sum.Targets, "text")}");
        }
        if (sum.Targets == 0)
            throw new ElasticException($"--last-word {file}: there is no text in it");
        var accuracy = (double)found / sum.Targets;
        if (output.AsJson)
        {
            var json = ScoredModel.Of(model).Json();
            json["texts"] = sum.Targets;
            json["found"] = found;
            json["accuracy"] = accuracy;
            json["nats"] = sum.Nats;
            json["natsPerWord"] = sum.Mean;
            json["perplexity"] = ScoredModel.Finite(sum.Perplexity);
            output.Write(json.ToJsonString());
            return;
        }
        output.Write(ScoredModel.Of(model).Line);
        foreach (var line in Table.Lay(
            [">TEXTS", ">FOUND", ">ACCURACY", ">NATS/WORD", ">PERPLEXITY"],
            [[
                $"{sum.Targets}", $"{found}", accuracy.ToString("0.0000", CultureInfo.InvariantCulture),
                sum.Mean.ToString("0.0000", CultureInfo.InvariantCulture), sum.Perplexity.ToString("0.00", CultureInfo.InvariantCulture),
            ]]))
        {
            output.Write(line);
        }
    }

    // White space at the end of the text is no word.
    private static ScoredRow Row(TextModel model, string text, string where)
    {
        var whole = text.TrimEnd();
        var last = whole.AsSpan().LastIndexOfAny(" \t\r\n");
        return whole.AsSpan(0, Math.Max(0, last)).Trim().Length > 0
            ? Continuations.Of(model, whole[..(last + 1)], whole[(last + 1)..], where)
            : throw new ElasticException($"{where}: the text has no word before its last: use at least two");
    }
}
