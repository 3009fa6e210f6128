using Elastic.Actors.Work;

namespace Elastic.Actors.Tests.Work;

public sealed class ReadAheadTests
{
    [Fact]
    public async Task So_many_steps_are_read_at_once_and_given_out_in_order()
    {
        var begun = new List<int>();
        var read = new ReadAhead<int>(3, 10, 4, step =>
        {
            begun.Add(step);
            return Task.FromResult(step);
        });
        Assert.Equal([3, 4, 5, 6], begun);
        for (var step = 3; step < 10; step++)
            Assert.Equal(step, await read.NextAsync());
        Assert.Equal([3, 4, 5, 6, 7, 8, 9], begun);
    }

    [Theory]
    [InlineData(4 * 33, 8)]
    [InlineData(16 * 1025, 3)]
    [InlineData(512 * 1025, 1)]
    public void Small_steps_are_read_further_ahead_than_large_ones(int tokens, int steps) =>
        Assert.Equal(steps, ReplicaRound.StepsAhead(tokens));
}
