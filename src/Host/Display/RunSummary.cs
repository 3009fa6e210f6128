using Elastic.Foundation;
using Elastic.Messages.Runs;

namespace Elastic.Host.Display;

/// <summary>The summary of a run: what it reached, where its files are, and a sample of its text.</summary>
internal static class RunSummary
{
    private const int SampleLines = 20;

    /// <summary>The lines after a finished run.</summary>
    /// <param name="writes">False for a model that does not continue a text.</param>
    /// <param name="prompt">What a text of the run's corpus may begin with; empty where nobody knows.</param>
    public static IReadOnlyList<string> Finished(
        RunView view, string dataDir, RunFolder folder, bool isDefaultDataDir, bool writes = true, string prompt = "")
    {
        var option = isDefaultDataDir ? "" : $" --data-dir {Quote(dataDir)}";
        List<string> lines =
        [
            "",
            $"finished   {Units.Many(view.Rounds, "round")}, {Units.Many(view.Steps, "step")}, "
                + $"{Units.Count(view.Tokens, "token")}, {Units.Count(view.Samples, "sample")}"
        ];
        if (view.ValLoss is { } loss)
        {
            lines.Add($"validation loss   {loss:0.0000} nats per token" +
                      $"   perplexity {Math.Exp(loss):0.00}" + (view.BitsPerByte is { } bits ? $"   {bits:0.000} bits per byte" : ""));
        }
        else
        {
            lines.Add("validation loss   none: no text is held out (corpus.held-out) or the corpus is too small");
        }

        lines.AddRange(
        [
            .. RunLines.Best(view) is { Length: > 0 } best ? [$"best          {best}"] : Array.Empty<string>(),
            $"fingerprint   {view.Fingerprint?.Hex}",
            $"checkpoint    {view.Checkpoint}",
            $"tensorboard   {folder.TensorBoard}",
            $"journal       {new DataDirectory(dataDir).Journal}",
            .. writes ? [$"write more    elastic generate --run {view.Name}{(prompt.Length > 0 ? $" --prompt \"{prompt}\"" : "")}{option}"]
                : Array.Empty<string>(),
            $"audit         elastic corpus audit --run {view.Name}{option}",
        ]);
        return lines;
    }

    /// <summary>A text that the model wrote, without its blank lines: a model that has learnt little may write nothing else.</summary>
    public static IReadOnlyList<string> Sample(string text)
    {
        var lines = text.ReplaceLineEndings("\n").Split('\n').Where(l => !string.IsNullOrWhiteSpace(l)).ToList();
        if (lines.Count > SampleLines)
            lines = [.. lines.Take(SampleLines), "…"];
        return ["sample", .. lines.Select(l => "  | " + TerminalText.Printable(l))];
    }

    /// <summary>The line after Ctrl-C.</summary>
    public static string Stopped(RunView? view) => view is null
        ? "stopped before the first step; the same command starts again"
        : $"stopped at round {view.Round}/{view.Rounds}, step {view.Steps}/{view.TotalSteps}; the same command goes on from here";

    private static string Quote(string path) => path.Any(char.IsWhiteSpace) ? $"\"{path}\"" : path;
}
