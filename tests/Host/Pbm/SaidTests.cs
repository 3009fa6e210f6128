using Elastic.Host.Pbm;

namespace Elastic.Host.Tests.Pbm;

public sealed class SaidTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_result_that_nobody_takes_is_disposed_of_after_its_work_was_stopped(bool isTaken)
    {
        using var stop = new CancellationTokenSource();
        using var made = new Made();
        var (work, lines) = Said.Begin(4, async said =>
        {
            said.Report("begins");
            if (!isTaken)
                await Task.Delay(TimeSpan.FromMinutes(1), stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return made;
        }, TestContext.Current.CancellationToken);
        await foreach (var line in Said.OrEnd(work, lines, stop))
        {
            Assert.Equal("begins", line);
            if (!isTaken)
                break;
        }
        Assert.Equal((!isTaken, !isTaken), (stop.IsCancellationRequested, made.IsDisposed));
        Assert.Same(made, await work);
    }

    private sealed class Made : IDisposable
    {
        public bool IsDisposed { get; private set; }

        public void Dispose() => IsDisposed = true;
    }
}
