using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.Host.Generation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Evaluation;

namespace Elastic.Host.Evaluation;

/// <summary>Loss, perplexity and bits per byte of text, source by source.</summary>
internal static class TextEvaluation
{
    /// <summary>Scores the text and writes the numbers.</summary>
    /// <param name="stride">Null for disjoint windows.</param>
    /// <exception cref="ElasticException">The model is none of text that goes on, or the text cannot be read.</exception>
    public static void Run(
        TextModel model, IReadOnlyList<string> sources, int? stride, EvaluationOutput output, CancellationToken cancel)
    {
        var text = new EvaluatedText(
            "--data", sources, model.Training?.Corpus ?? CorpusSettings.Defaults, model.StoredChat(), model.Settings.Context, stride);
        using var opened = model.Open(new DeviceId("cpu:0"), Environment.ProcessorCount);
        var scorer = new TextScorer(opened.Device, model.Tokenizer.EndOfText);
        foreach (var row in text.Rows(model.Tokenizer, cancel))
        {
            scorer.Add(row);
            output.Progress(seconds =>
                $"scored {Units.Bytes(scorer.Sums.Total.Bytes)}, {Units.Count(scorer.Sums.Total.Targets, "token")}, "
                + $"{Units.Count(scorer.Sums.Total.Targets / seconds)} tokens/s");
        }
        scorer.Complete();
        foreach (var notice in text.Notices())
            output.Notice(notice);
        output.Write(new TextReport(ScoredModel.Of(model), text.Stride, text.Checked(scorer.Sums)));
    }
}
