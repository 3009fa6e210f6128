using System.Globalization;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Coordination;

/// <summary>
/// Whether a score ends the run. It follows from the scores alone, which are the same on all machines, and is stored as an event: a run
/// that is resumed, or went back to a checkpoint, ends at the same version.
/// </summary>
internal static class EarlyStopping
{
    /// <summary>The state with one more score.</summary>
    public static RunState Scored(RunState run, VersionScore score)
    {
        var scored = run with { Score = score };
        if (score.Version <= run.LastScored)                            // scored again: the same bits
            return scored;
        return run.BestScore is { } best && !IsBetter(score, best)
            ? scored with { LastScored = score.Version, ScoresSinceBest = run.ScoresSinceBest + 1 }
            : scored with { LastScored = score.Version, ScoresSinceBest = 0, BestScore = score };
    }

    // A number is better than none: otherwise nothing would ever be better than a first score of NaN.
    private static bool IsBetter(VersionScore score, VersionScore best) =>
        score.LossNats < best.LossNats || (double.IsNaN(best.LossNats) && !double.IsNaN(score.LossNats));

    /// <summary>What decides where the run ends, besides what is part of the answer anyway.</summary>
    public static IEnumerable<string> Differences(EvaluationSettings old, EvaluationSettings asked)
    {
        if (!old.MayEndRuns)
            yield break;
        if (old.EveryRounds != asked.EveryRounds)
            yield return $"evaluation.every-rounds: {old.EveryRounds} -> {asked.EveryRounds}, and scores may end this run";
        if (old.Sequences != asked.Sequences)
            yield return $"evaluation.sequences: {old.Sequences} -> {asked.Sequences}, and scores may end this run";
    }

    /// <summary>The event that ends the run with this score; none where it goes on.</summary>
    public static IEnumerable<RunEvent> After(RunState run, RunPlan plan, VersionScore score)
    {
        if (score.Version < plan.Rounds && Why(Scored(run, score), plan) is { } why)
            yield return new RunEvent.RunEndedEarly(run.Id, score.Version, why);
    }

    /// <summary>With which version a score has ended the run, and why; null where none has.</summary>
    public static string? Ended(RunState run, RunPlan plan) => plan.EndsAt is not { } end ? null
        : $"with version {end} of {plan.Timeline.Rounds}: "
            + (run.Score?.Version != end ? "by a score" : Why(run, plan) ?? "by a score, under settings that it has no more");

    private static bool IsKept(RunState run, VersionScore best) => run.Checkpoints.Any(c => c.Version == best.Version);

    // Why the newest score ends the run; null where it does not.
    private static string? Why(RunState scored, RunPlan plan) => scored switch
    {
        { Score: { } score } when plan.TargetLoss is { } target && score.LossNats <= target => string.Create(CultureInfo.InvariantCulture,
            $"its validation loss of {score.LossNats:0.####} has reached evaluation.target-loss = {target}"),
        { BestScore: { } best } when plan.Patience > 0 && scored.ScoresSinceBest >= plan.Patience => string.Create(
            CultureInfo.InvariantCulture, $"evaluation.patience = {plan.Patience} scores in a row were no better than "
            + $"{best.LossNats:0.####}, that of version {best.Version}{(IsKept(scored, best) ? ", whose checkpoint is kept" : "")}"),
        _ => null,
    };
}
