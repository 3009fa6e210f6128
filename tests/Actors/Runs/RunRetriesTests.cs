using Elastic.Actors.Runs;
using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Actors.Tests.Runs;

public sealed class RunRetriesTests
{
    private static readonly RunId Run = new("tiny-1"), Other = new("tiny-2");

    private readonly HandClock _clock = new();
    private readonly RunRetries _retries;

    public RunRetriesTests() =>
        _retries = new RunRetries(new Backoff(TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(15)) { Jitter = 0 }, _clock);

    [Fact]
    public void A_supervisor_that_ends_at_once_waits_longer_each_time_and_the_first_failure_after_weeks_waits_as_the_first_ever()
    {
        Assert.Equal([0.5, 1, 2, 4, 8, 15, 15], Enumerable.Range(0, 7).Select(_ => PauseAfter(Run, seconds: 20)));
        Assert.Equal(0.5, PauseAfter(Other, seconds: 1));
        Assert.Equal([0.5, 1], [PauseAfter(Run, seconds: 3600), PauseAfter(Run, seconds: 1)]);
        _retries.Forget(Run);
        Assert.Equal(0.5, PauseAfter(Run, seconds: 1));
    }

    private double PauseAfter(RunId run, double seconds)
    {
        _retries.Made(run);
        _clock.Advance(seconds);
        return _retries.Ended(run).TotalSeconds;
    }
}
