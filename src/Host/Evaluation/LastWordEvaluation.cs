using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.Host.Generation;
using Elastic.Model.Evaluation;
using Elastic.Model.Training;

namespace Elastic.Host.Evaluation;

/// <summary>
/// Whether a model finds the last word of texts (Paperno et al. 2016, "The LAMBADA dataset"): it counts as found where each of its tokens
/// is the likeliest given all before it. Its perplexity is e to the mean cross-entropy of a word.
/// </summary>
internal sealed class LastWordEvaluation(TextModel model, string file)
    : QuestionEvaluation<(long Line, string Text)>(model, "--last-word", file, "text")
{
    private ScoreSum _words;
    private long _found;

    private double Accuracy => (double)_found / Asked;

    protected override IEnumerable<(long Line, string Text)> Read(string file, string option) => Questions.Texts(file, option);

    protected override void Score(TrainingDevice device, IReadOnlyList<(long Line, string Text)> questions)
    {
        foreach (var score in new GreedyScorer(device).Scores([.. questions.Select(t => Row(t.Text, $"{File}:{t.Line}"))]))
        {
            _words += new ScoreSum(score.Nats, 1);
            _found += score.IsGreedy ? 1 : 0;
        }
    }

    protected override void Write(JsonObject json)
    {
        json["texts"] = Asked;
        json["found"] = _found;
        json["accuracy"] = Accuracy;
        json["nats"] = _words.Nats;
        json["natsPerWord"] = _words.Mean;
        json["perplexity"] = RunJson.Finite(_words.Perplexity);
    }

    protected override IEnumerable<(string Head, string Value)> Columns() =>
    [
        ("TEXTS", $"{Asked}"), ("FOUND", $"{_found}"), ("ACCURACY", Show(Accuracy)), ("NATS/WORD", Show(_words.Mean)),
        ("PERPLEXITY", Show(_words.Perplexity, 2)),
    ];

    // White space at the end of the text is no word.
    private ScoredRow Row(string text, string where)
    {
        var whole = text.TrimEnd();
        var last = whole.AsSpan().LastIndexOfAny(" \t\r\n");
        return whole.AsSpan(0, Math.Max(0, last)).Trim().Length > 0
            ? Continuations.Of(Model, whole[..(last + 1)], whole[(last + 1)..], where)
            : throw new ElasticException($"{where}: the text has no word before its last: use at least two");
    }
}
