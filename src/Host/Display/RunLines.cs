using Elastic.Actors.Corpora;
using Elastic.Actors.Hosting;
using Elastic.Coordination;
using Elastic.Messages.Corpora;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Model.Training;

namespace Elastic.Host.Display;

/// <summary>The displays' texts about a run, as pure functions of its views.</summary>
internal static class RunLines
{
    // What a line of 100 columns has room for; JSON has all.
    private const int SourcesWidth = 66, LongestSource = 30;

    /// <summary>The lines on top: the run, how its work is divided, and the memory that it takes.</summary>
    /// <param name="blocks">Blocks of text to train on.</param>
    /// <param name="memory">Null where it is not known.</param>
    /// <param name="rounds">Rounds of the run, of which one that was made longer has others than a new one; null for a new one.</param>
    public static IReadOnlyList<string> Header(
        string title, TrainingSettings settings, long blocks, TrainingMemory? memory = null, int? rounds = null)
    {
        var (run, batch) = (settings.Run, settings.Batch);
        var length = Units.Many(rounds ?? RunPlan.RoundsOf(settings, blocks), "round");
        if (run.Epochs is { } epochs)
            length += $" ({Units.Many(epochs, "epoch")} of {Units.Count(blocks)} blocks)";
        var tokens = (long)batch.Sequences * settings.SampleTokens;
        return
        [
            $"run {run.Name}   config {title}   {settings.Model.Signature}",
            $"{length} x {Units.Many(run.InnerSteps, "step")} x {Units.Many(run.Replicas, "replica")}   " +
            $"{Units.Count(tokens, "token")} a step in {Units.Many(batch.MicroBatches, "micro-batch")}   seed {run.Seed}",
            .. memory is null ? (string[])[] : [$"memory {Units.Bytes(memory.Bytes)}: {memory.Parts}"],
        ];
    }

    /// <summary>Where settings change in mid-run, and what.</summary>
    public static string Segment(RunSegment segment) =>
        $"from round {segment.FromRound} on (sample {Units.Count(segment.FromSample)}, step {Units.Count(segment.FromStep)}): "
        + string.Join("; ", segment.Changes);

    /// <summary>What a run leaves of its only node's devices without a micro-batch, and what to do; null where each has one.</summary>
    public static string? IdleDevices(TrainingSettings settings, int devices)
    {
        var (replicas, microBatches, most) = (settings.Run.Replicas, settings.Batch.MicroBatches, settings.Run.DevicesPerReplica);
        var use = replicas == 1 ? "uses" : "use";
        if (most > 0 && devices - (long)replicas * most is > 0 and var idle)
            return $"{idle} of {devices} devices {(idle == 1 ? "has" : "have")} nothing to do: {Units.Many(replicas, "replica")} {use} "
                + $"{replicas * most} by run.devices-per-replica = {most}; raise it, or name fewer devices and give each more threads "
                + "(node.threads-per-device)";
        return devices - (long)replicas * microBatches is > 0 and var lent
            ? $"{lent} of {devices} devices {(lent == 1 ? "lends its" : "lend their")} threads to the others: "
                + $"{Units.Many(replicas, "replica")} of {Units.Many(microBatches, "micro-batch")} a step {use} {replicas * microBatches}; "
                + "a new run with a smaller batch.micro divides its steps better"
            : null;
    }

    /// <summary>What a node's CPU devices have of threads beyond the machine's cores, and what to do; null where all have a core.</summary>
    /// <param name="cores">Cores of the machine.</param>
    public static string? TooManyThreads(NodeSettings node, int cores)
    {
        var (devices, each) = (DeviceNames.Parse(node.Devices).Count(d => d.IsCpu), DeviceNames.ThreadsPerDevice(node));
        return (long)devices * each <= cores ? null
            : $"{Units.Many(devices, "CPU device")} of {Units.Many(each, "thread")} on {Units.Many(cores, "core")} wait for each other: "
                + (each > 1 ? "fewer threads for each (node.threads-per-device) compute the same sooner"
                    : $"cpu:{cores} computes the same sooner");
    }

    /// <summary>One plain line, e.g. for a log.</summary>
    /// <param name="end">What stands at its end, e.g. for what the run waits.</param>
    /// <param name="width">Columns that there are: what people need least is left out first.</param>
    public static string Progress(RunView view, string end = "", int width = int.MaxValue)
    {
        var validation = view.ValLoss is { } loss ? $"val {loss:0.0000}" : "";
        string[] lines =
        [
            Line(ValidationLoss(view), Left(view), Fingerprint(view)),
            Line(validation, Left(view), Fingerprint(view)),
            Line(validation, Left(view), ""),
            Line(validation, "", ""),
        ];
        return lines.FirstOrDefault(l => l.Length <= width) ?? lines[^1][..width];

        string Line(string validation, string left, string fingerprint) => string.Join("  ", new[]
        {
            $"round {Pad(view.Round, view.Rounds)}/{view.Rounds}",
            $"step {Pad(view.Steps, view.TotalSteps)}/{view.TotalSteps}",
            Loss(view), validation, Speed(view), left, fingerprint, end,
        }.Where(part => part.Length > 0));
    }

    /// <summary>Why a node rests, and how long still; e.g. "for another 4m 10s: the disk is full".</summary>
    public static string Rest(RestingNode node) => $"for another {Units.Duration(TimeSpan.FromSeconds(node.SecondsLeft))}: {node.Why}";

    /// <summary>The best score, where it is of an earlier round than the newest one; else empty.</summary>
    public static string Best(RunView view) => view is { BestRound: { } round, BestLoss: { } loss } && round != view.ScoredRound
        ? $"{loss:0.0000} nats per token, after round {round}" : "";

    public static string Loss(RunView view) => view.TrainLoss is { } loss ? $"loss {loss:0.0000}" : "";

    /// <summary>The newest score; with its round, where later rounds are committed since.</summary>
    public static string ValidationLoss(RunView view) => view.ValLoss is { } loss
        ? $"val {loss:0.0000}" + (view.BitsPerByte is { } bits ? $" ({bits:0.000} bits/byte)" : "") +
          (view.ScoredRound is { } round && round != view.Round ? $" of round {round}" : "")
        : "";

    /// <summary>
    /// The lines of the run's log: one for each committed round, one for a score that comes after its round's line, and one where steps
    /// were skipped. No score stands beside a later round.
    /// </summary>
    /// <param name="before">The view before; null for the first.</param>
    public static IEnumerable<string> Log(RunView? before, RunView view)
    {
        if (Skipped(before, view) is { } skipped)
            yield return skipped;
        var isScored = view.ScoredRound == view.Round;
        if (view.Round != before?.Round)
            yield return Progress(isScored ? view : view with { ValLoss = null });
        else if (isScored && view.ScoredRound != before.ScoredRound)
            yield return $"round {Pad(view.Round, view.Rounds)}/{view.Rounds}  {ValidationLoss(view)}";
        if (!isScored || view.ScoredRound == before?.ScoredRound)
            yield break;
        if (Losses(view.SourceScores) is { Length: > 0 } sources)
            yield return $"round {Pad(view.Round, view.Rounds)}/{view.Rounds}  val by source: {sources}";
        if (Losses(view.LanguageScores) is { Length: > 0 } languages)
            yield return $"round {Pad(view.Round, view.Rounds)}/{view.Rounds}  val by language: {languages}";
    }

    /// <summary>Scores by source or by language, the largest first; empty where they are not told apart.</summary>
    public static string Losses(SourceScore[]? scores)
    {
        var sources = (scores ?? []).OrderByDescending(s => s.Targets).ThenBy(s => s.Source, StringComparer.Ordinal)
            .Select(s => $"{SourceName.Of(s.Source, LongestSource)} {s.LossNats:0.0000}").ToList();
        var (text, shown) = ("", 0);
        while (shown < sources.Count && text.Length + sources[shown].Length <= SourcesWidth)
            text += (shown > 0 ? ", " : "") + sources[shown++];
        return shown < sources.Count ? $"{text} and {sources.Count - shown} more" : text;
    }

    /// <summary>The loss scale, with the steps that were skipped so far; empty where the loss is not scaled.</summary>
    public static string Scale(RunView view) => view is { LossScale: { } scale, SkippedSteps: { } skipped }
        ? $"loss scale {scale:0}, {Units.Many(skipped, "step")} skipped" : "";

    /// <summary>A line that says that more steps of a round were skipped than the view before showed; null where none was.</summary>
    /// <param name="before">The view before; null for the first.</param>
    public static string? Skipped(RunView? before, RunView view)
    {
        var known = before?.SkippedRound == view.SkippedRound ? before?.SkippedInRound ?? 0 : 0;
        return view is { SkippedRound: { } round, LossScale: { } scale } && view.SkippedInRound > known
            ? $"round {Pad(round + 1, view.Rounds)}/{view.Rounds}  {Units.Many(view.SkippedInRound, "step")} overflowed in fp16 and "
              + $"{(view.SkippedInRound == 1 ? "was" : "were")} skipped, {view.SkippedSteps} in all; the loss scale is {scale:0} now"
            : null;
    }

    public static string Speed(RunView view) => view.TokensPerSecond > 0 ? $"{Units.Count(view.TokensPerSecond)} tokens/s" : "";

    /// <summary>Time left at the present speed; empty while there is no speed or nothing left.</summary>
    public static string Left(RunView view) => view.TokensPerSecond > 0 && view.TotalTokens > view.Tokens
        ? Units.Duration(TimeSpan.FromSeconds(Math.Min((view.TotalTokens - view.Tokens) / view.TokensPerSecond, 1e9))) + " left" : "";

    public static string Fingerprint(RunView view) => view.Fingerprint is { } digest ? digest.Short : "";

    /// <summary>Share of the work that is done, 0 to 1.</summary>
    public static double Share(RunView view) => view.TotalTokens > 0 ? (double)view.Tokens / view.TotalTokens : 0;

    /// <summary>The run's present phase, in words.</summary>
    public static string Phase(RunView view) => view.Phase switch
    {
        RunPhase.Waiting => "waiting for a device",
        RunPhase.Computing => "computing",
        RunPhase.Averaging => "averaging",
        RunPhase.Assembling => "assembling",
        RunPhase.Paused => "paused",
        RunPhase.Stopped => "stopped",
        _ => "finished",
    };

    /// <summary>The progress of reading the corpus.</summary>
    public static string Corpus(CorpusProgress progress) =>
        $"corpus: {Units.Count(progress.DocumentsRead, "document")}, {Units.Bytes(progress.BytesRead)}" +
        (progress.TotalBytes > 0 ? $" of {Units.Bytes(progress.TotalBytes)}" : "") + $", {Units.Count(progress.TokensWritten, "token")}";

    // Pads numbers to one width, which keeps the columns of plain lines aligned.
    private static string Pad(long n, long largest) => n.ToString().PadLeft(largest.ToString().Length);
}
