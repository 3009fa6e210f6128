using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// Where everything is that is counted along a run: against the published formula, and by counting it all.
public sealed class TimelineTests
{
    // Three rounds of 3 replicas, then two of 2 that take more and larger steps.
    private static readonly Timeline Two = new(
        Of(0, rounds: 3, replicas: 3, steps: 4, sequences: 5), Of(3, rounds: 2, replicas: 2, steps: 6, sequences: 7));

    [Fact]
    public void All_samples_of_a_run_fill_the_stream_without_a_gap_or_a_repeat_over_segments_too()
    {
        var positions =
            from round in Enumerable.Range(0, Two.Rounds)
            let s = Two.At(round)
            from replica in Enumerable.Range(0, s.Replicas)
            from step in Enumerable.Range(0, s.InnerSteps)
            from index in Enumerable.Range(0, s.Sequences)
            select s.PositionOf(round, replica, step, index);
        Assert.Equal(Enumerable.Range(0, 3 * 60 + 2 * 84).Select(p => (long)p), positions.Order());
        Assert.Equal(3 * 60 + 2 * 84, Two.TotalSamples);
    }

    [Fact]
    public void The_position_is_the_published_formula() => Assert.Equal(
        ((7L * 100 + 3) * 4 + 2) * 32 + 31,
        Of(0, rounds: 8, replicas: 4, steps: 100, sequences: 32).PositionOf(round: 7, replica: 2, step: 3, index: 31));

    [Fact]
    public void A_later_segment_goes_on_where_the_one_before_ended()
    {
        Assert.Equal(180, Two.At(3).PositionOf(3, 0, 0, 0));
        Assert.Equal((12L, 18L, 24L), (Two.At(3).StepNumberOf(3, 0), Two.At(4).StepNumberOf(4, 0), Two.TotalSteps));
        Assert.Equal([0L, 60, 120, 180, 264, 348], Enumerable.Range(0, 6).Select(Two.SamplesBefore));
        Assert.Equal([0L, 4, 8, 12, 18, 24], Enumerable.Range(0, 6).Select(Two.StepsBefore));
    }

    [Fact]
    public void A_plan_of_two_segments_counts_each_by_its_own_numbers()
    {
        var plan = Plan with { Timeline = Two };
        Assert.Equal((5, 3, 2), (plan.Rounds, plan.ReplicasAt(2), plan.ReplicasAt(3)));
        Assert.Equal((4L * 5 * 16, 6L * 7 * 16), (plan.TokensOf(2, 0), plan.TokensOf(3, 1)));
        Assert.Equal((180 * 16, 348 * 16), (plan.TokensBefore(3), plan.TokensBefore(5)));
    }

    [Fact]
    public void What_the_audit_and_the_view_count_changes_with_the_segment()
    {
        var plan = Plan with { Timeline = new Timeline(Of(0, 1, 2, 3, 8), Of(1, 3, 2, 3, 4)) };
        var run = Fold(Computing, [.. Results(0), Chunks(0)]);
        var committed = Run.Decide(run, plan, Commit(0));
        Assert.Equal(
            2 * 3 * 8 * 16,
            Assert.IsType<Elastic.Messages.Runs.RunEvent.RoundCommitted>(Assert.Single(committed.Events)).TokensSeen);

        var next = Fold(run, [.. committed.Events]);
        var refused = Run.Decide(next, plan, Finish(A, Result(1, 0)) with { From = next.Version });
        Assert.Equal("replica 0 counts 384 tokens where the round has 192", refused.Refusal);
    }

    [Fact]
    public void A_replica_step_or_sample_outside_of_the_segment_is_refused()
    {
        var one = Of(2, rounds: 1, replicas: 1, steps: 1, sequences: 1);
        Assert.Throws<ArgumentOutOfRangeException>(() => one.PositionOf(1, 0, 0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => one.PositionOf(2, 1, 0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => one.PositionOf(2, 0, 1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => one.PositionOf(2, 0, 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Two.At(-1));
    }

    [Fact]
    public void A_run_longer_than_the_stream_is_an_error_not_a_wrong_position() => Assert.Throws<OverflowException>(
        () => Of(0, int.MaxValue, int.MaxValue, int.MaxValue, 1).PositionOf(int.MaxValue - 1, 0, 0, 0));

    [Fact]
    public void Segments_follow_each_other()
    {
        Assert.Throws<ArgumentException>(() => new Timeline());
        Assert.Throws<ArgumentException>(() => new Timeline(Of(1, 3, 1, 1, 1)));
        Assert.Throws<ArgumentException>(() => new Timeline(Of(0, 3, 1, 1, 1), Of(2, 3, 1, 1, 1)));
        Assert.Throws<ArgumentException>(() => new Timeline(Of(0, 0, 1, 1, 1)));
        Assert.Equal(new Timeline(Of(0, 3, 1, 1, 1)), new Timeline(Of(0, 3, 1, 1, 1)));
        Assert.NotEqual(new Timeline(Of(0, 3, 1, 1, 1)), new Timeline(Of(0, 3, 1, 1, 2)));
    }

    private static Segment Of(int fromRound, int rounds, int replicas, int steps, int sequences) =>
        new() { FromRound = fromRound, Rounds = rounds, Replicas = replicas, InnerSteps = steps, Sequences = sequences, MicroBatches = 1 };
}
