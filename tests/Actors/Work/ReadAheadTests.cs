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

    [Fact]
    public async Task The_next_step_is_waited_for_as_long_as_somebody_waits()
    {
        var first = new TaskCompletionSource<int>();
        var read = new ReadAhead<int>(0, 1, 4, _ => first.Task);
        using var stop = new CancellationTokenSource();
        var waits = read.ArrivesAsync(stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waits);
        first.SetResult(7);
        await read.ArrivesAsync(CancellationToken.None);
        Assert.Equal(7, await read.NextAsync());
        await read.ArrivesAsync(stop.Token);                             // there is no next one
    }

    [Theory]
    [InlineData(4 * 33, 8)]
    [InlineData(16 * 1025, 3)]
    [InlineData(512 * 1025, 1)]
    public void Small_steps_are_read_further_ahead_than_large_ones(int tokens, int steps) =>
        Assert.Equal(steps, ReplicaRound.StepsAhead(tokens));
}
