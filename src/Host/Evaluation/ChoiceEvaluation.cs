using System.Globalization;
using System.Text;
using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.Host.Generation;
using Elastic.Host.Pbm;
using Elastic.Messages;
using Elastic.Model.Evaluation;

namespace Elastic.Host.Evaluation;

/// <summary>
/// Multiple choice as language models answer it (Zellers et al. 2019, "HellaSwag"; Brown et al. 2020, section 2.4): the model's choice is
/// the one that is likeliest after the context, by the sum of its log-probabilities, or by that sum for each UTF-8 byte of the choice. Of
/// equal ones the first counts.
/// </summary>
internal static class ChoiceEvaluation
{
    // Questions whose choices go through the network together, as far as they are of one length.
    private const int AtOnce = 32;

    /// <summary>Scores the choices and writes the numbers.</summary>
    /// <exception cref="ElasticException">The file cannot be read, or a record is not as it should be.</exception>
    public static void Run(TextModel model, string file, EvaluationOutput output, CancellationToken cancel)
    {
        using var opened = model.Open(new DeviceId("cpu:0"), Environment.ProcessorCount);
        var scorer = new RowScorer(opened.Device, model.Tokenizer.EndOfText);
        var (asked, right, rightByByte, chance) = (0L, 0L, 0L, 0.0);
        foreach (var questions in Questions.Choices(file, "--choices").Chunk(AtOnce))
        {
            cancel.ThrowIfCancellationRequested();
            var nats = scorer.Nats([.. questions.SelectMany(q => q.Choices.Select(c => Row(model, q, c, file)))]);
            var first = 0;
            foreach (var question in questions)
            {
                var bytes = question.Choices.Select(c => Encoding.UTF8.GetByteCount(c)).ToArray();
                var ofQuestion = nats.AsSpan(first, bytes.Length).ToArray();
                first += bytes.Length;
                right += Least(ofQuestion) == question.Answer ? 1 : 0;
                rightByByte += Least([.. ofQuestion.Zip(bytes, (n, b) => n / b)]) == question.Answer ? 1 : 0;
                chance += 1.0 / bytes.Length;
                asked++;
            }
            output.Progress(_ => $"scored {Units.Count(asked, "question")}");
        }
        if (asked == 0)
            throw new ElasticException($"--choices {file}: there is no question in it");
        var (accuracy, byByte) = ((double)right / asked, (double)rightByByte / asked);
        chance /= asked;
        if (output.AsJson)
        {
            var json = ScoredModel.Of(model).Json();
            json["questions"] = asked;
            json["right"] = right;
            json["accuracy"] = accuracy;
            json["rightByByte"] = rightByByte;
            json["accuracyByByte"] = byByte;
            json["chance"] = chance;
            output.Write(json.ToJsonString());
            return;
        }
        output.Write(ScoredModel.Of(model).Line);
        foreach (var line in Table.Lay(
            [">QUESTIONS", ">ACCURACY", ">BY BYTE", ">CHANCE"],
            [[$"{asked}", .. new[] { accuracy, byByte, chance }.Select(x => x.ToString("0.0000", CultureInfo.InvariantCulture))]]))
        {
            output.Write(line);
        }
    }

    // A space stands between the two, unless the file has one.
    private static ScoredRow Row(TextModel model, ChoiceQuestion question, string choice, string file)
    {
        var isApart = question.Context.Length == 0 || char.IsWhiteSpace(question.Context[^1]) || char.IsWhiteSpace(choice[0]);
        return Continuations.Of(model, question.Context, isApart ? choice : $" {choice}", $"{file}:{question.Line}");
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
