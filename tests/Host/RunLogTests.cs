using System.Text.Json;
using Elastic.Testing;

namespace Elastic.Host.Tests;

public sealed class RunLogTests : TemporaryFolder
{
    private string Path => System.IO.Path.Combine(Folder, "runs", "tiny-3k9v2mq7", "log.txt");

    [Fact]
    public void Lines_wait_until_the_log_is_opened_and_come_before_those_after()
    {
        var log = new RunLog(null);
        log.Write("one");
        log.Write("two");
        Assert.Empty(Directory.GetFileSystemEntries(Folder));
        log.Open(Path);
        Assert.Equal(["one", "two"], Lines());
        log.Write("three");
        Assert.Equal(["one", "two", "three"], Lines());
    }

    [Fact]
    public void A_log_that_is_opened_again_repeats_nothing()
    {
        var log = new RunLog(null);
        log.Write("one");
        log.Open(Path);
        log.Open(Path);
        Assert.Equal(["one"], Lines());
    }

    [Fact]
    public void A_line_has_the_time_at_which_it_was_written()
    {
        new RunLog(Path).Write("one");
        Assert.Matches("^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}Z one\n$", File.ReadAllText(Path));
    }

    [Fact]
    public void For_programs_a_line_is_an_object_whatever_it_says()
    {
        new RunLog(Path, isJson: true).Write("a \"quoted\"\nline");
        var line = Assert.Single(File.ReadAllLines(Path));
        using var read = JsonDocument.Parse(line);
        Assert.Equal("a \"quoted\"\nline", read.RootElement.GetProperty("text").GetString());
        Assert.Equal("info", read.RootElement.GetProperty("level").GetString());
        Assert.InRange(DateTime.UtcNow - read.RootElement.GetProperty("time").GetDateTime(), TimeSpan.Zero, TimeSpan.FromMinutes(5));
    }

    [Fact]
    public void A_log_that_cannot_be_written_stops_nothing()
    {
        File.WriteAllText(System.IO.Path.Combine(Folder, "runs"), "in the way");
        var log = new RunLog(null);
        log.Write("one");
        log.Open(Path);
        log.Write("two");
    }

    private IEnumerable<string> Lines() => File.ReadAllLines(Path).Select(l => l["2026-01-01 00:00:00Z ".Length..]);
}
