using Elastic.Host.Display;
using Elastic.Messages.Runs;

namespace Elastic.Host.Pbm;

/// <summary>All about one run, a line each, names and values aligned. Unknown values are left out.</summary>
internal static class RunStatus
{
    public static IReadOnlyList<string> Lines(RunView run)
    {
        (string Name, string Value)[] facts =
        [
            ("run", run.Name.Value),
            ("id", run.RunId.Value),
            ("phase", run.Failure is null ? RunLines.Phase(run) : "failed"),
            ("waits for", run.WaitsFor ?? ""),
            ("failure", run.Failure ?? ""),
            ("notice", run.Notice ?? ""),
            ("ended early", run.EndedEarly ?? ""),
            ("round", $"{run.Round}/{run.Rounds}"),
            ("step", $"{run.Steps}/{run.TotalSteps}"),
            ("tokens", $"{Units.Count(run.Tokens)} of {Units.Count(run.TotalTokens)}, {Units.Count(run.Samples, "sample")}"),
            ("speed", string.Join(", ", new[] { RunLines.Speed(run), RunLines.Left(run) }.Where(t => t.Length > 0))),
            ("train loss", run.TrainLoss is { } loss ? $"{loss:0.0000} nats per token" : ""),
            ("loss scale", run is { LossScale: { } scale, SkippedSteps: { } skipped }
                ? $"{scale:0}, {Units.Many(skipped, "step")} skipped after an overflow" : ""),
            ("val loss", run.ValLoss is { } score
                ? $"{score:0.0000} nats per token" + (run.BitsPerByte is { } bits ? $", {bits:0.000} bits per byte" : "") +
                  (run.ScoredRound is { } round && round != run.Round ? $", after round {round}" : "")
                : ""),
            ("best loss", RunLines.Best(run)),
            ("by source", RunLines.Losses(run.SourceScores)),
            ("by language", RunLines.Losses(run.LanguageScores)),
            ("fingerprint", run.Fingerprint?.Hex ?? ""),
            .. run.Segments.Select(s => ("segment", RunLines.Segment(s))),
            ("checkpoint", run.Checkpoint ?? ""),
            ("priority", run.Priority == 0 ? "" : $"{run.Priority}"),
            ("needs", string.Join(", ", run.Needs)),
            .. run.Resting.Select(r => ("resting", $"node {r.Address}, {RunLines.Rest(r)}")),
            ("nodes", $"{run.Nodes}, with {run.Devices} {(run.Devices == 1 ? "device" : "devices")}"),
        ];
        var width = facts.Max(f => f.Name.Length) + 3;
        return [.. facts.Where(f => f.Value.Length > 0).Select(f => f.Name.PadRight(width) + f.Value)];
    }
}
