using System.Diagnostics;

namespace Elastic.Host.Evaluation;

/// <summary>Where an evaluation writes.</summary>
/// <param name="output">Takes the numbers.</param>
/// <param name="notices">Takes what happens meanwhile.</param>
/// <param name="asJson">The numbers are one JSON object.</param>
internal sealed class EvaluationOutput(TextWriter output, TextWriter notices, bool asJson)
{
    private static readonly TimeSpan BetweenReports = TimeSpan.FromSeconds(5);

    private readonly long _start = Stopwatch.GetTimestamp();
    private long _reported = Stopwatch.GetTimestamp();

    public bool AsJson { get; } = asJson;

    public void Write(string line) => output.WriteLine(line);

    public void Write(TextReport report)
    {
        if (AsJson)
            output.WriteLine(report.Json().ToJsonString());
        else
            foreach (var line in report.Lines())
                output.WriteLine(line);
    }

    public void Notice(string line) => notices.WriteLine(line);

    /// <summary>Says how far it is, now and then.</summary>
    /// <param name="progress">Is given the seconds since the start.</param>
    public void Progress(Func<double, string> progress)
    {
        if (Stopwatch.GetElapsedTime(_reported) < BetweenReports)
            return;
        _reported = Stopwatch.GetTimestamp();
        Notice(progress(Stopwatch.GetElapsedTime(_start).TotalSeconds));
    }
}
