using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Simulation;
using Elastic.Testing;

namespace Elastic.Coordination.Tests;

/// <summary>Scores that end a run.</summary>
public sealed class EarlyStoppingTests
{
    private static readonly RunPlan Plan = VirtualRun.PlanOf(replicas: 1, rounds: 20, chunks: 1);

    [Theory]
    [InlineData(2, new[] { 5.0, 4, 3, 2, 1 }, null)]
    [InlineData(2, new[] { 5.0, 4, 4, 4 }, 3)]                          // equal is no better
    [InlineData(2, new[] { 5.0, 4, 6, 3.9, 5, 5 }, 5)]                  // a better one begins anew
    [InlineData(1, new[] { 5.0, 4, 4.5 }, 2)]
    [InlineData(3, new[] { 5.0, 6, 7 }, null)]
    [InlineData(0, new[] { 5.0, 6, 7, 8, 9 }, null)]
    [InlineData(2, new[] { double.NaN, 5, 4, 3, 2, 1 }, null)]          // any number is better than none
    [InlineData(2, new[] { double.NaN, 5, 6, double.NaN, 1 }, 3)]
    [InlineData(2, new[] { double.NaN, double.NaN, double.NaN }, 2)]
    public void The_run_ends_when_so_many_scores_were_no_better_than_the_best(int patience, double[] losses, int? end)
    {
        var (run, ends) = (Empty, new List<int>());
        for (var i = 0; i < losses.Length; i++)
        {
            var score = new VersionScore(i, losses[i], 1);
            ends.AddRange(EarlyStopping.After(run, Plan with { Patience = patience }, score).Select(_ => score.Version));
            run = Run.Apply(run, new RunEvent.VersionEvaluated(run.Id, score));
        }

        Assert.Equal(end is { } version ? [version] : [], ends.Take(1));
    }

    [Fact]
    public void A_version_that_is_scored_again_after_a_step_back_counts_once()
    {
        var run = new[] { (0, 5.0), (1, 4.0), (2, 4.1), (1, 4.0), (2, 4.1) }.Aggregate(
            Empty, (so, s) => Run.Apply(so, new RunEvent.VersionEvaluated(so.Id, new VersionScore(s.Item1, s.Item2, 1))));
        Assert.Equal((1, 1, 2), (run.ScoresSinceBest, run.BestScore!.Version, run.LastScored));
        Assert.Empty(EarlyStopping.After(run, Plan with { Patience = 2 }, new VersionScore(2, 4.1, 1)));
        var end = Assert.IsType<RunEvent.RunEndedEarly>(
            Assert.Single(EarlyStopping.After(run, Plan with { Patience = 2 }, new VersionScore(3, 4.2, 1))));
        Assert.Equal("evaluation.patience = 2 scores in a row were no better than 4, that of version 1", end.Why);
    }

    [Fact]
    public void The_run_ends_with_the_first_score_of_at_most_the_target()
    {
        var plan = Plan with { TargetLoss = 3.25 };
        Assert.Empty(EarlyStopping.After(Empty, plan, new VersionScore(2, 3.26, 1)));
        var end = Assert.IsType<RunEvent.RunEndedEarly>(Assert.Single(EarlyStopping.After(Empty, plan, new VersionScore(2, 3.25, 1))));
        Assert.Equal((2, "its validation loss of 3.25 has reached evaluation.target-loss = 3.25"), (end.Version, end.Why));
        Assert.Empty(EarlyStopping.After(Empty, plan, new VersionScore(20, 1, 1)));     // it ends anyway
    }

    [Fact]
    public void A_run_that_has_ended_still_says_by_which_score()
    {
        var scored = new[] { 5.0, 4, 4.5 }.Select((loss, i) => new VersionScore(i, loss, 1)).Aggregate(
            Empty, (so, score) => Run.Apply(so, new RunEvent.VersionEvaluated(so.Id, score)));
        var plan = Plan with { Patience = 1 };
        Assert.Null(EarlyStopping.Ended(scored, plan));
        var ended = Run.Apply(scored, new RunEvent.RunEndedEarly(scored.Id, 2, "the event's own words"));
        Assert.Equal(
            "with version 2 of 20: evaluation.patience = 1 scores in a row were no better than 4, that of version 1",
            EarlyStopping.Ended(ended, plan with { EndsAt = ended.EndsAt }));
        Assert.EndsWith(
            "that of version 1, whose checkpoint is kept",
            EarlyStopping.Ended(
                ended with { Checkpoints = [RunSamples.Checkpoint(1)] }, plan with { EndsAt = ended.EndsAt })!, StringComparison.Ordinal);
        Assert.Equal("with version 2 of 20: by a score", EarlyStopping.Ended(ended with { Score = null }, plan with { EndsAt = 2 }));
        Assert.Equal(
            "with version 2 of 20: its validation loss of 4.5 has reached evaluation.target-loss = 4.5",
            EarlyStopping.Ended(ended, plan with { EndsAt = ended.EndsAt, TargetLoss = 4.5 }));
        Assert.Equal(
            "with version 2 of 20: by a score, under settings that it has no more", EarlyStopping.Ended(ended, Plan with { EndsAt = 2 }));
    }

    [Fact]
    public void An_ended_run_has_no_more_rounds_until_it_is_made_longer()
    {
        var run = Run.Apply(Empty, new RunEvent.RunEndedEarly(Empty.Id, 4, "why"));
        Assert.Equal((4, 12), ((Plan with { EndsAt = run.EndsAt }).Rounds, (Plan with { EndsAt = run.EndsAt }).TotalSteps));
        Assert.True((Plan with { EndsAt = run.EndsAt }).Checkpoints(4));
        var longer = new RunEvent.SettingsChanged(run.Id, "{}", VirtualRun.By(1), new RunExtension(5, 20, 30));
        Assert.Null(Run.Apply(run, longer).EndsAt);
        Assert.Equal(4, Run.Apply(run, longer with { Extension = null }).EndsAt);
    }

    [Fact]
    public void What_decides_where_a_run_ends_cannot_change()
    {
        var stops = EvaluationSettings.Defaults with { Patience = 3 };
        Assert.Equal(
            ["evaluation.every-rounds: 5 -> 6, and scores may end this run"],
            EarlyStopping.Differences(stops, stops with { EveryRounds = 6 }));
        Assert.Empty(EarlyStopping.Differences(EvaluationSettings.Defaults, EvaluationSettings.Defaults with { EveryRounds = 6 }));
    }

    [Fact]
    public void A_new_run_that_its_scores_end_is_refused_where_no_block_is_held_out_and_an_earlier_versions_goes_on()
    {
        var start = RunSamples.Begin with
        {
            Settings = RunSamples.Text(s => s with { Evaluation = s.Evaluation with { Patience = 3 } }),
            HeldOutBlocks = 0,
        };
        Assert.Contains(
            "evaluation.patience = 3 ends a run by its scores of held-out text, which is shorter than one block here",
            RunRequests.Decide(Empty, null, start).Refusal, StringComparison.Ordinal);
        Assert.Null(RunRequests.Decide(Empty, null, start with { HeldOutBlocks = 1 }).Refusal);
        Assert.Null(RunRequests.Decide(Empty, null, RunSamples.Begin with { HeldOutBlocks = 0 }).Refusal);
        var begun = Run.Apply(Empty, new RunEvent.RunStarted(
            Empty.Id, start.Run, start.Settings, start.Elements, start.Corpus, start.Blocks, 0, start.Arithmetic, start.Origin));
        Assert.Null(RunRequests.Decide(begun, RunPlan.Of(begun), start with { Origin = VirtualRun.By(7) }).Refusal);
    }

    private static RunState Empty => RunState.Empty(VirtualRun.Id);
}
