using Elastic.Host.Pbm;
using Elastic.Messages.Runs;

namespace Elastic.Host.Tests.Pbm;

/// <summary>The lines that the palettes write: what is in them, and how wide they are.</summary>
public sealed class LineTests
{
    [Fact]
    public void A_line_of_a_watch_fits_a_hundred_columns_and_keeps_what_matters_most()
    {
        var large = FakeCluster.Tiny with
        {
            Round = 99_999,
            Rounds = 100_000,
            Steps = 1_999_980,
            TotalSteps = 2_000_000,
            Tokens = 1,
            TotalTokens = 900_000_000_000,
        };
        foreach (var view in new[] { FakeCluster.Tiny, large, large with { Phase = RunPhase.Waiting } })
        {
            var line = Assert.Single(new RunWatchLines(TimeProvider.System).Of(view)).Text!;
            Assert.InRange(line.Length, 1, 100);
            Assert.Contains($"{view.Round}/{view.Rounds}", line, StringComparison.Ordinal);
            Assert.Contains("loss 2.3457  val 2.2871", line, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Between_rounds_a_watch_shows_a_line_a_second_and_only_where_something_changed()
    {
        var time = new HandClock();
        var watch = new RunWatchLines(time);
        Assert.Single(watch.Of(FakeCluster.Tiny));
        time.Advance(TimeSpan.FromSeconds(0.9));
        Assert.Empty(watch.Of(FakeCluster.Tiny with { Steps = 101 }));
        time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Single(watch.Of(FakeCluster.Tiny with { Steps = 102 }));
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.Empty(watch.Of(FakeCluster.Tiny with { Steps = 102 }));
        Assert.EndsWith(
            "waiting for a device",
            Assert.Single(watch.Of(FakeCluster.Tiny with { Phase = RunPhase.Waiting })).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_watch_says_each_score_by_source_once()
    {
        var watch = new RunWatchLines(new HandClock());
        var scored = FakeCluster.Tiny with { SourceScores = [new SourceScore("Books", 5, 2), new SourceScore("Web", 9, 3)] };
        Assert.Equal(["val by source of round 5: Web 3.0000, Books 2.5000"], BySource(scored));
        Assert.Empty(BySource(scored with { Round = 6 }));
        Assert.Equal(["val by source of round 6: Web 3.0000, Books 2.5000"], BySource(scored with { Round = 6, ScoredRound = 6 }));

        List<string> BySource(RunView view) =>
            [.. watch.Of(view).Select(l => l.Text!).Where(t => t.StartsWith("val by source", StringComparison.Ordinal))];
    }

    [Fact]
    public void A_watch_says_what_a_run_waits_for_that_does_not_go_on_for_some_seconds()
    {
        var time = new HandClock();
        var watch = new RunWatchLines(time);
        var waits = FakeCluster.Tiny with { WaitsFor = "bytes of replica 1: 3.0 of 12.0 MiB are on 10.0.0.6:4053" };
        Assert.DoesNotContain(watch.Of(waits), IsWait);
        time.Advance(TimeSpan.FromSeconds(4));
        Assert.DoesNotContain(watch.Of(waits), IsWait);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Contains(watch.Of(waits), IsWait);
        Assert.DoesNotContain(watch.Of(waits), IsWait);
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.Contains(watch.Of(waits), IsWait);

        time.Advance(TimeSpan.FromSeconds(5));
        Assert.DoesNotContain(watch.Of(FakeCluster.Tiny), IsWait);
        Assert.DoesNotContain(watch.Of(waits), IsWait);

        static bool IsWait(PbmLine line) => line.Text == "waits for bytes of replica 1: 3.0 of 12.0 MiB are on 10.0.0.6:4053";
    }

    [Fact]
    public void A_table_never_leaves_a_hundred_columns()
    {
        string[][] rows = [[new string('a', 64), new string('b', 300), "c", new string('d', 200), "1"], ["x", "", "", "", "1000000"]];
        var lines = Table.Lay(["NAME", "B", "C", "D", ">N"], rows);
        Assert.All(lines, l => Assert.InRange(l.Length, 1, Table.Width));
        Assert.StartsWith(new string('a', 64), lines[1], StringComparison.Ordinal);
        Assert.EndsWith("      1", lines[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("cpu:0", "cpu:0")]
    [InlineData("cuda:1 cuda:0 cuda:3", "cuda:0-1,3")]
    [InlineData("cuda:0 cpu:0 cpu:1", "cpu:0-1 cuda:0")]
    [InlineData("cuda:1 cuda:0#0 cuda:0#2 cuda:0#1 cuda:2", "cuda:1-2 cuda:0#0-2")]
    public void Devices_in_a_row_are_one_word(string devices, string shown) =>
        Assert.Equal(shown, NodePalette.Devices(devices.Split(' ', StringSplitOptions.RemoveEmptyEntries)));
}

/// <summary>A clock that the test turns.</summary>
internal sealed class HandClock : TimeProvider
{
    private long _ticks = TimeSpan.TicksPerDay;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _ticks;

    public void Advance(TimeSpan by) => _ticks += by.Ticks;
}
