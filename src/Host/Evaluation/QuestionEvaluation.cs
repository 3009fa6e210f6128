using System.Globalization;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.Host.Generation;
using Elastic.Host.Pbm;
using Elastic.Messages;
using Elastic.Model.Training;

namespace Elastic.Host.Evaluation;

/// <summary>A test whose questions are the records of a file: reads them, has them scored some at a time, writes the numbers.</summary>
/// <param name="option">Where the file is named, e.g. "--choices".</param>
/// <param name="noun">What a record is, e.g. "question".</param>
internal abstract class QuestionEvaluation<TQuestion>(TextModel model, string option, string file, string noun)
{
    // Questions that go through the network together, as far as they are of one length; between two looks at whether to stop.
    private const int AtOnce = 32;

    protected TextModel Model => model;

    protected string File => file;

    /// <summary>Questions that were scored.</summary>
    protected long Asked { get; private set; }

    /// <summary>Scores the file and writes the numbers.</summary>
    /// <exception cref="ElasticException">The file cannot be read, or a record is not as it should be, or there is none.</exception>
    public void Run(EvaluationOutput output, CancellationToken cancel)
    {
        using var opened = model.Open(new DeviceId("cpu:0"), Environment.ProcessorCount);
        foreach (var questions in Read(file, option).Chunk(AtOnce))
        {
            cancel.ThrowIfCancellationRequested();
            Score(opened.Device, questions);
            Asked += questions.Length;
            output.Progress(_ => $"scored {Units.Count(Asked, noun)}");
        }
        if (Asked == 0)
            throw new ElasticException($"{option} {file}: there is no {noun} in it");
        if (output.AsJson)
        {
            var json = ScoredModel.Of(model).Json();
            Write(json);
            output.Write(json.ToJsonString());
            return;
        }
        output.Write(ScoredModel.Of(model).Line);
        foreach (var line in Table.Lay([.. Columns().Select(c => $">{c.Head}")], [[.. Columns().Select(c => c.Value)]]))
            output.Write(line);
    }

    /// <summary>The questions of the file.</summary>
    protected abstract IEnumerable<TQuestion> Read(string file, string option);

    /// <summary>Scores some questions.</summary>
    /// <param name="device">With the model's parameters.</param>
    protected abstract void Score(TrainingDevice device, IReadOnlyList<TQuestion> questions);

    /// <summary>Adds the numbers.</summary>
    protected abstract void Write(JsonObject json);

    /// <summary>The numbers for people.</summary>
    protected abstract IEnumerable<(string Head, string Value)> Columns();

    protected static string Show(double number, int digits = 4) => number.ToString($"F{digits}", CultureInfo.InvariantCulture);
}
