using Elastic.Actors.Runs;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Tests.Runs;

public sealed class RunRetriesTests
{
    private static readonly RunId Run = new("tiny-1"), Other = new("tiny-2");

    private readonly HandClock _clock = new();
    private readonly RunRetries _retries;

    public RunRetriesTests() =>
        _retries = new RunRetries(new Backoff(TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(15)) { Jitter = 0 }, _clock, goesOn: true);

    [Fact]
    public void A_supervisor_that_ends_at_once_waits_longer_each_time_and_the_first_failure_after_weeks_waits_as_the_first_ever()
    {
        Assert.Equal([0.5, 1, 2, 4, 8, 15, 15], Enumerable.Range(0, 7).Select(_ => PauseAfter(Run, seconds: 20)));
        Assert.Equal(0.5, PauseAfter(Other, seconds: 1));
        Assert.Equal([0.5, 1], [PauseAfter(Run, seconds: 3600), PauseAfter(Run, seconds: 1)]);
        _retries.Forget(Run);
        Assert.Equal(0.5, PauseAfter(Run, seconds: 1));
    }

    [Fact]
    public void A_supervisor_that_fails_by_a_bug_again_and_again_is_given_up_with_the_reason_and_a_database_that_is_away_is_not()
    {
        for (var i = 0; i < 20; i++)
        {
            _retries.Failed(new RunUnreadable(Other, "the database is away", null));
            PauseAfter(Other, seconds: 20);
        }
        Assert.Null(_retries.GivenUp(Other));
        for (var i = 0; i < 8; i++)
        {
            Assert.Null(_retries.GivenUp(Run));
            _retries.Failed(new RunUnreadable(Run, "a bug", null, IsBug: true));
            PauseAfter(Run, seconds: 1);
        }
        Assert.Equal("a bug; 8 supervisors in a row failed", _retries.GivenUp(Run));

        // One that lasted has shown that it can: what ends it is a first failure.
        _retries.Made(Run);
        _clock.Advance(3600);
        _retries.Failed(new RunUnreadable(Run, "another one", null, IsBug: true));
        _retries.Ended(Run);
        Assert.Null(_retries.GivenUp(Run));
    }

    [Fact]
    public void A_run_without_a_supervisor_is_shown_as_its_last_one_showed_it_with_the_reason()
    {
        var seen = new RunView { Name = Run.Name, RunId = Run, Phase = RunPhase.Computing, Round = 7, TokensPerSecond = 1000 };
        const string Next = "its next supervisor, which is made in some seconds";
        Assert.Equal(new RunView { Name = Run.Name, RunId = Run, Phase = RunPhase.Waiting, WaitsFor = Next }, _retries.View(Run));
        _retries.Failed(new RunUnreadable(Run, "the fence is away", seen));
        Assert.Equal(seen with { TokensPerSecond = 0, WaitsFor = $"{Next}: the fence is away" }, _retries.View(Run));
        _retries.Failed(new RunUnreadable(Run, "the database is away", null));
        Assert.Equal(seen with { TokensPerSecond = 0, WaitsFor = $"{Next}: the database is away" }, _retries.View(Run));
    }

    [Fact]
    public void So_is_a_run_whose_next_supervisor_takes_long_to_read_the_journal()
    {
        var seen = new RunView { Name = Run.Name, RunId = Run, Phase = RunPhase.Computing, Round = 7, TokensPerSecond = 1000 };
        _retries.Failed(new RunUnreadable(Run, "the database is away", seen));
        _retries.Made(Run);
        _clock.Advance(1.9);
        Assert.Equal((true, false), (_retries.IsReading(Run), _retries.ReadsForLong(Run)));
        _clock.Advance(0.1);
        Assert.True(_retries.ReadsForLong(Run));
        Assert.Equal(
            seen with { TokensPerSecond = 0, WaitsFor = "its next supervisor, which reads the journal: the database is away" },
            _retries.View(Run));
        _retries.Ended(Run);
        Assert.False(_retries.IsReading(Run));

        _retries.Made(Run);
        _clock.Advance(10);
        _retries.HasRead(Run);
        Assert.False(_retries.IsReading(Run));
    }

    [Fact]
    public void In_a_process_that_trains_alone_only_a_run_that_has_failed_is_shown_without_a_supervisor()
    {
        var alone = new RunRetries(new Backoff(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1)), _clock, goesOn: false);
        Assert.Null(alone.View(Run));
        alone.Failed(new RunUnreadable(Run, "it cannot be shown", null, IsBug: true));
        Assert.Equal(
            new RunView { Name = Run.Name, RunId = Run, Phase = RunPhase.Waiting, Failure = "it cannot be shown" }, alone.View(Run));
    }

    private double PauseAfter(RunId run, double seconds)
    {
        _retries.Made(run);
        _clock.Advance(seconds);
        return _retries.Ended(run).TotalSeconds;
    }
}
