using Elastic.Actors.Hosting;

namespace Elastic.Actors.Tests.Hosting;

public sealed class RepetitionsTests
{
    private readonly Repetitions _repetitions = new();
    private DateTime _now = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    [Fact]
    public void A_line_that_repeats_is_written_once_a_minute_with_how_many_there_were()
    {
        var written = new List<int>();
        for (var second = 0; second < 130; second++)
        {
            if (_repetitions.IsDue($"endpoint writer-{second}: no way to akka.tcp://elastic@10.0.0.5:4053", _now, out var skipped))
                written.Add(skipped);
            _now += TimeSpan.FromSeconds(1);
        }

        Assert.Equal([0, 59, 59], written);
    }

    [Fact]
    public void Lines_about_two_nodes_are_two_lines()
    {
        Assert.True(_repetitions.IsDue("no way to akka.tcp://elastic@10.0.0.5:4053", _now, out _));
        Assert.True(_repetitions.IsDue("no way to akka.tcp://elastic@10.0.0.6:4053", _now, out _));
        Assert.True(_repetitions.IsDue("no way to akka.tcp://elastic@10.0.0.6:4054", _now, out _));
        Assert.False(_repetitions.IsDue("no way to akka.tcp://elastic@10.0.0.6:4054", _now, out _));
    }
}
