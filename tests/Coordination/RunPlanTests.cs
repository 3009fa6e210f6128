using Elastic.Testing;

namespace Elastic.Coordination.Tests;

public sealed class RunPlanTests
{
    [Theory]
    [InlineData(1, 96, 2)]                                               // 2 replicas x 3 steps x 8 sequences = 48 blocks a round
    [InlineData(1, 97, 3)]
    [InlineData(3, 97, 7)]
    [InlineData(1, 1, 1)]
    public void Epochs_end_with_the_round_that_completes_the_last_one(int epochs, long blocks, int rounds)
    {
        var settings = TinySettings.Of("a", 2);
        var plan = RunPlan.Of(
            settings with { Run = settings.Run with { Rounds = null, Epochs = epochs } }, RunSamples.Elements, blocks, 10);
        Assert.Equal(rounds, plan.Rounds);
        Assert.Equal(
            (48, 3 * 8 * 16, 2 * 3 * 8 * 16, rounds * 3),
            (plan.At(0).SamplesPerRound, plan.TokensPerReplica(0), plan.TokensBefore(1), plan.TotalSteps));
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
