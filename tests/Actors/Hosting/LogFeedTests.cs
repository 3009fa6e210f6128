using Elastic.Actors.Hosting;

namespace Elastic.Actors.Tests.Hosting;

public sealed class LogFeedTests
{
    private readonly LogFeed _feed = new();

    [Fact]
    public async Task It_keeps_the_newest_lines_and_forgets_a_reader_that_has_gone()
    {
        for (var i = 0; i < 600; i++)
            _feed.Add(Line(i));
        var seen = new List<string>();
        await foreach (var line in _feed.FollowAsync(LogSeverity.Info, 1000, TestContext.Current.CancellationToken))
        {
            seen.Add(line.Text);
            if (seen.Count == 500)
                _feed.Add(Line(600));
            else if (seen.Count == 501)
                break;
        }

        Assert.Equal([.. Enumerable.Range(100, 501).Select(i => $"{i}")], seen);
    }

    [Fact]
    public async Task A_slow_reader_misses_the_oldest_lines_and_holds_nobody_up()
    {
        _feed.Add(Line(0));
        await using var reader = _feed.FollowAsync(LogSeverity.Info, 1, TestContext.Current.CancellationToken).GetAsyncEnumerator();
        Assert.True(await reader.MoveNextAsync());
        for (var i = 1; i <= 5000; i++)
            _feed.Add(Line(i));
        for (var i = 4001; i <= 5000; i++)
        {
            Assert.True(await reader.MoveNextAsync());
            Assert.Equal($"{i}", reader.Current.Text);
        }
    }

    private static LogLine Line(int i) => new(DateTimeOffset.UnixEpoch, LogSeverity.Info, $"{i}");
}
