using Elastic.Foundation;
using Elastic.Messages.Runs;
using static Elastic.Messages.Runs.RunEvent;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// The resume ladder: the newest version, else the newest whole checkpoint, else the very beginning; and it says which and why.
public sealed class SurveyTests
{
    [Fact]
    public void A_survey_that_was_asked_for_before_the_newest_version_is_refused()
    {
        Digest[] old = [.. At(2).References()];
        var decision = Decide(At(3), new CoordinatorCommand.FinishSurvey(old, old), Plan);
        Assert.Equal("the survey does not speak of version 3: it was asked for before", decision.Refusal);
        Assert.Empty(decision.Events);
    }

    [Fact]
    public void What_arrived_after_the_survey_was_asked_for_is_not_lost()
    {
        Digest[] asked = [.. At(1).References()];
        Assert.Empty(Decide(WithResults(At(1)), new CoordinatorCommand.FinishSurvey(asked, asked), Plan).Events);
    }

    [Fact]
    public void Without_a_whole_checkpoint_the_run_starts_over()
    {
        var run = At(1);
        var after = Surveyed(run, "version 1", out var events);
        var rolledBack = Assert.IsType<RolledBack>(Assert.Single(events));
        Assert.Null(rolledBack.From);
        Assert.Equal("version 1 is incomplete or damaged: starting over from the seed", rolledBack.Why);
        Assert.Equal(
            Deep(Started with
            {
                Score = run.Score,
                BestScore = run.BestScore,
                LastScored = run.LastScored,
                TrainLossNats = run.TrainLossNats,
                FarthestRound = 1,
            }),
            Deep(after));
    }

    [Fact]
    public void A_damaged_version_falls_back_to_the_newest_whole_checkpoint()
    {
        var run = WithResults(At(3));
        var after = Surveyed(run, "version 3", out var events);
        var rolledBack = Assert.IsType<RolledBack>(Assert.Single(events));
        Assert.Equal("version 3 is incomplete or damaged: going on from the checkpoint of round 2", rolledBack.Why);
        Assert.Equal(
            (2, Version(2), D("fingerprint 2"), At(2).ChainHead),
            (after.Round, after.Version, after.Fingerprint, after.ChainHead));
        Assert.Equal(Plan.TokensBefore(2), after.TokensSeen);
        Assert.Equal(Checkpoint(2).InnerStates, after.InnerStates);
        Assert.Equal(2, after.Score!.Version);
        Assert.Empty(after.Finished);
    }

    [Fact]
    public void A_lost_inner_state_damages_the_version_as_much_as_lost_parameters()
    {
        Surveyed(At(3), "inner 2 1", out var events);
        Assert.Equal(2, Assert.IsType<RolledBack>(Assert.Single(events)).From!.Version);
    }

    [Fact]
    public void Broken_checkpoints_are_passed_over_dropped_and_named()
    {
        var after = Surveyed(At(4), "version 4", out var events);       // version 4 is itself a checkpoint
        Assert.Equal(new CheckpointDropped(Id, 4), events[0]);
        Assert.Equal(
            "version 4 is incomplete or damaged, so is the checkpoint of round 4: going on from the checkpoint of round 2",
            Assert.IsType<RolledBack>(events[1]).Why);
        Assert.Equal((2, false), (after.Round, after.IsFinished));
        Assert.Equal([2], after.Checkpoints.Select(c => c.Version));
        Assert.Equal(RunPhase.Computing, after.Phase(Plan));
    }

    [Fact]
    public void When_every_rung_is_broken_the_run_starts_over_and_no_checkpoint_is_left()
    {
        var run = At(4);
        var decision = Decide(run, new CoordinatorCommand.FinishSurvey([.. run.References()], []), Plan);
        Assert.Equal(
            "version 4 is incomplete or damaged, so is the checkpoint of round 4, so is the checkpoint of round 2: " +
            "starting over from the seed",
            Assert.IsType<RolledBack>(decision.Events[^1]).Why);
        var after = Fold(run, [.. decision.Events]);
        Assert.Equal((0, null, HashChain.Empty, 0), (after.Round, after.Version, after.ChainHead, after.TokensSeen));
        Assert.Empty(after.Checkpoints);
        Assert.Null(after.Score);
    }

    [Fact]
    public void An_old_checkpoint_that_nobody_has_now_is_kept_while_the_newest_version_is_whole()
    {
        var after = Surveyed(At(3), "inner 1 0", out var events);       // of checkpoint 2 only: its node may be away
        Assert.Empty(events);
        Assert.Equal(3, after.Round);
        Assert.Equal(2, Assert.Single(after.Checkpoints).Version);
    }

    [Theory]
    [InlineData("contribution 1 1")]
    [InlineData("inner 1 1")]
    public void A_lost_result_is_computed_again_and_the_others_stay(string lost)
    {
        var after = Surveyed(WithResults(At(1)), lost, out var events);
        var work = Assert.IsType<WorkLost>(Assert.Single(events));
        Assert.Equal((1, false, "1 results of round 1 were not whole"), (work.Round, work.Chunks, work.Why));
        Assert.Equal([1], work.Replicas);
        Assert.Equal([0], after.Finished.Keys);
    }

    [Fact]
    public void A_lost_hand_over_starts_its_round_again()
    {
        var run = Fold(At(1), new ReplicaHandedOver(Id, HandOver(1, 0, 1)), new ReplicaHandedOver(Id, HandOver(1, 1, 2)));
        var after = Surveyed(run, "hand-over 1 1 2", out var events);
        Assert.Equal([1], Assert.IsType<WorkLost>(Assert.Single(events)).Replicas);
        Assert.Equal([0], after.HandedOver.Keys);
    }

    [Fact]
    public void Averaged_chunks_are_always_summed_again()
    {
        var after = Surveyed(WithChunks(WithResults(At(1))), null, out var events);
        var work = Assert.IsType<WorkLost>(Assert.Single(events));
        Assert.Empty(work.Replicas);
        Assert.True(work.Chunks);
        Assert.Equal((2, 0), (after.Finished.Count, after.Averaged.Count));
        Assert.Equal(RunPhase.Averaging, after.Phase(Plan));
    }

    [Fact]
    public void When_all_is_whole_nothing_is_stored()
    {
        foreach (var run in new[] { Started, Computing, WithResults(At(3)), At(4) })
        {
            Surveyed(run, null, out var events);
            Assert.Empty(events);
        }
    }

    [Fact]
    public void What_is_surveyed_is_everything_that_the_run_still_needs()
    {
        var run = Fold(WithResults(At(3)), new WorkLost(Id, 3, [1], false, ""), new ReplicaHandedOver(Id, HandOver(3, 1, 2)));
        string[] needed =
        [
            "version 3", "inner 2 0", "inner 2 1", "contribution 3 0", "inner 3 0", "hand-over 3 1 2",       // the round
            "version 2", "inner 1 0", "inner 1 1",                                                          // the checkpoint
        ];
        Assert.Equal(needed.Select(Set).Order(Comparer<Digest>.Create((a, b) => string.CompareOrdinal(a.Hex, b.Hex))),
            run.References().Order(Comparer<Digest>.Create((a, b) => string.CompareOrdinal(a.Hex, b.Hex))));
    }

    // The survey in which one set is not whole, and the same survey once more, which must find nothing new.
    private static RunState Surveyed(RunState run, string? lost, out IReadOnlyList<RunEvent> events)
    {
        var survey = new CoordinatorCommand.FinishSurvey(
            [.. run.References()], [.. run.References().Where(d => lost is null || d != Set(lost))]);
        events = Decide(run, survey, Plan).Events;
        var after = Fold(run, [.. events]);
        Assert.Empty(Decide(after, survey, Plan).Events);
        return after;
    }
}
