using Elastic.Testing;

namespace Elastic.Coordination.Tests;

public sealed class RunPlanTests
{
    // 2 replicas x 3 steps x 8 sequences = 48 blocks a round, 16 a step.
    [Theory]
    [InlineData(1, 96, 2, 6)]
    [InlineData(1, 97, 3, 7)]
    [InlineData(3, 97, 7, 19)]
    [InlineData(1, 1, 1, 1)]
    [InlineData(2, 10, 1, 2)]
    public void Epochs_end_with_the_last_sample_of_the_last_one_and_schedules_with_the_last_step(
        int epochs, long blocks, int rounds, int steps)
    {
        var settings = TinySettings.Of("a", 2);
        var plan = RunPlan.Of(
            settings with { Run = settings.Run with { Rounds = null, Epochs = epochs } }, RunSamples.Elements, blocks, 10);
        Assert.Equal((rounds, (long)steps), (plan.Rounds, plan.TotalSteps));
        Assert.Equal((epochs * blocks, epochs * blocks * 16), (plan.Timeline.TotalSamples, plan.TokensBefore(rounds)));
        Assert.All(plan.Timeline.Segments, s => Assert.Equal(steps, s.ScheduleSteps));
        foreach (var round in Enumerable.Range(0, rounds - 1))
            Assert.Equal((48, 3 * 8 * 16), (plan.At(round).SamplesPerRound, plan.TokensOf(round, 1)));
    }

    [Fact]
    public void Rounds_are_whole_as_they_always_were()
    {
        var plan = RunPlan.Of(TinySettings.Of("a", 2, rounds: 5), RunSamples.Elements, 97, 10);
        Assert.Equal((5, 15, 5 * 48), (plan.Rounds, plan.TotalSteps, plan.Timeline.TotalSamples));
        Assert.Equal([(0, 5, 0L, 15L)], plan.Timeline.Segments.Select(s => (s.FromRound, s.Rounds, s.MissingSamples, s.ScheduleSteps)));
    }

    [Fact]
    public void Without_held_out_text_nothing_is_scored()
    {
        var plan = RunPlan.Of(TinySettings.Of("a"), RunSamples.Elements, 1000, 0);
        Assert.All(Enumerable.Range(0, 5), version => Assert.False(plan.Evaluates(version)));
    }

    [Fact]
    public void The_first_version_the_last_and_every_so_many_between_are_scored_and_all_but_the_first_stored()
    {
        var plan = RunSamples.PlanOf(replicas: 2, rounds: 7, chunks: 2) with { EvaluateEvery = 3, CheckpointEvery = 2 };
        Assert.Equal([0, 3, 6, 7], Enumerable.Range(0, 8).Where(plan.Evaluates));
        Assert.Equal([2, 4, 6, 7], Enumerable.Range(0, 8).Where(plan.Checkpoints));
    }
}
