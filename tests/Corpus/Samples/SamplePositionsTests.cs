namespace Elastic.Corpus.Tests;

public class SamplePositionsTests
{
    [Fact]
    public void All_samples_of_a_run_fill_the_stream_without_a_gap_or_a_repeat()
    {
        const int Rounds = 3, H = 4, R = 3, B = 5;
        var positions =
            from round in Enumerable.Range(0, Rounds)
            from replica in Enumerable.Range(0, R)
            from step in Enumerable.Range(0, H)
            from sample in Enumerable.Range(0, B)
            select SamplePositions.Of(round, replica, step, sample, H, R, B);
        Assert.Equal(Enumerable.Range(0, Rounds * H * R * B).Select(p => (long)p), positions.Order());
    }

    [Fact]
    public void The_position_is_the_published_formula() =>
        Assert.Equal(
            ((7L * 100 + 3) * 4 + 2) * 32 + 31,
            SamplePositions.Of(round: 7, replica: 2, step: 3, sample: 31, innerSteps: 100, replicas: 4, sequences: 32));

    [Fact]
    public void A_replica_step_or_sample_outside_of_the_run_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => SamplePositions.Of(-1, 0, 0, 0, 1, 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => SamplePositions.Of(0, 1, 0, 0, 1, 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => SamplePositions.Of(0, 0, 1, 0, 1, 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => SamplePositions.Of(0, 0, 0, 1, 1, 1, 1));
    }

    [Fact]
    public void A_run_longer_than_the_stream_is_an_error_not_a_wrong_position() =>
        Assert.Throws<OverflowException>(() => SamplePositions.Of(int.MaxValue - 1, 0, 0, 0, int.MaxValue, int.MaxValue, 1));
}
