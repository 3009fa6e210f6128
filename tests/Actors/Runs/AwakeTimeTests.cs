using Akka.Actor;
using Elastic.Actors.Runs;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Actors.Tests.Runs;

/// <summary>A seed that is stopped, and goes on, takes none of that time for the silence of others.</summary>
public sealed class AwakeTimeTests
{
    private static readonly NodeReport.Enlist Report = new(new NodeId("gpu7-8h2m4xyq"))
    {
        Devices = [],
        Incarnation = "one",
        Address = "10.0.0.1:4053",
        Endpoint = "10.0.0.1:4080",
        Seed = false,
        Version = "0.2",
        Arithmetic = "",
        Works = [],
        Leaving = false,
    };

    private readonly HandClock _clock = new();

    [Fact]
    public void A_node_is_not_silent_because_the_seed_stood_still_and_is_where_it_says_nothing_afterwards()
    {
        var table = new NodeTable(new AwakeTime(_clock, SupervisorContext.MostBetweenLooks));
        table.Note(Report, ActorRefs.Nobody);
        table.Connected(Report.Node, Report.Incarnation);
        _clock.Advance(600);
        Assert.Empty(table.Silent());
        for (var second = 0; second < 18; second++)
        {
            Assert.Empty(table.Silent());
            _clock.Advance(1);
        }
        _clock.Advance(1);
        Assert.Equal([Report.Node], table.Silent());
    }

    [Fact]
    public void Time_goes_on_as_it_does_while_somebody_looks_and_by_no_more_than_two_seconds_at_once()
    {
        var time = new AwakeTime(_clock, SupervisorContext.MostBetweenLooks);
        var began = time.GetTimestamp();
        for (var look = 0; look < 100; look++)
        {
            _clock.Advance(0.25);
            _ = time.GetTimestamp();
        }
        Assert.Equal(TimeSpan.FromSeconds(25), time.GetElapsedTime(began));
        _clock.Advance(3600);
        Assert.Equal(TimeSpan.FromSeconds(27), time.GetElapsedTime(began));
    }
}
