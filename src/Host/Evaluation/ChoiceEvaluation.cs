using System.Text;
using System.Text.Json.Nodes;
using Elastic.Host.Generation;
using Elastic.Model.Evaluation;
using Elastic.Model.Training;

namespace Elastic.Host.Evaluation;

/// <summary>
/// Multiple choice as language models answer it (Zellers et al. 2019, "HellaSwag"; Brown et al. 2020, section 2.4): the model's choice is
/// the one that is likeliest after the context, by the sum of its log-probabilities, or by that sum for each UTF-8 byte of the choice. Of
/// equal ones the first counts.
/// </summary>
internal sealed class ChoiceEvaluation(TextModel model, string file)
    : QuestionEvaluation<ChoiceQuestion>(model, "--choices", file, "question")
{
    private long _right, _rightByByte;
    private double _chance;

    protected override IEnumerable<ChoiceQuestion> Read(string file, string option) => Questions.Choices(file, option);

    protected override void Score(TrainingDevice device, IReadOnlyList<ChoiceQuestion> questions)
    {
        var scorer = new RowScorer(device, Model.Tokenizer.EndOfText);
        var nats = scorer.Nats([.. questions.SelectMany(q => q.Choices.Select(c => Row(q, c)))]);
        var first = 0;
        foreach (var question in questions)
        {
            var bytes = question.Choices.Select(c => Encoding.UTF8.GetByteCount(c)).ToArray();
            var ofQuestion = nats.AsSpan(first, bytes.Length).ToArray();
            first += bytes.Length;
            _right += Least(ofQuestion) == question.Answer ? 1 : 0;
            _rightByByte += Least([.. ofQuestion.Zip(bytes, (n, b) => n / b)]) == question.Answer ? 1 : 0;
            _chance += 1.0 / bytes.Length;
        }
    }

    protected override void Write(JsonObject json)
    {
        json["questions"] = Asked;
        json["right"] = _right;
        json["accuracy"] = (double)_right / Asked;
        json["rightByByte"] = _rightByByte;
        json["accuracyByByte"] = (double)_rightByByte / Asked;
        json["chance"] = _chance / Asked;
    }

    protected override IEnumerable<(string Head, string Value)> Columns() =>
    [
        ("QUESTIONS", $"{Asked}"), ("ACCURACY", Show((double)_right / Asked)), ("BY BYTE", Show((double)_rightByByte / Asked)),
        ("CHANCE", Show(_chance / Asked)),
    ];

    // A space stands between the two, unless the file has one.
    private ScoredRow Row(ChoiceQuestion question, string choice)
    {
        var isApart = question.Context.Length == 0 || char.IsWhiteSpace(question.Context[^1]) || char.IsWhiteSpace(choice[0]);
        return Continuations.Of(Model, question.Context, isApart ? choice : $" {choice}", $"{File}:{question.Line}");
    }

    private static int Least(double[] losses)
    {
        var least = 0;
        for (var i = 1; i < losses.Length; i++)
        {
            if (losses[i] < losses[least])
                least = i;
        }
        return least;
    }
}
