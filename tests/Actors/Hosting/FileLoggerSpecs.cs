using System.Text.Json;
using Akka.Actor;
using Akka.Configuration;
using Akka.Event;
using Elastic.Actors.Hosting;
using Elastic.Messages.Settings;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Hosting;

public sealed class FileLoggerSpecs : TemporaryFolder
{
    [Fact]
    public async Task For_programs_the_log_is_an_object_a_line_with_the_details_in_it()
    {
        var settings = AkkaSettings.LogsAs(NodeSettings.JsonLogs).WithFallback(AkkaSettings.ForDevices(new DataPaths(Folder)));
        var system = ActorSystem.Create("logged", settings);
        system.Log.Error(new InvalidOperationException("a cause"), "two\nlines of {0}", "text");
        await system.Terminate();
        var lines = File.ReadAllLines(Path.Combine(Folder, "log.txt")).Select(l => JsonDocument.Parse(l).RootElement).ToList();
        var mine = Assert.Single(lines, l => l.GetProperty("text").GetString() == "two\nlines of text");
        Assert.Equal("error", mine.GetProperty("level").GetString());
        Assert.Contains("a cause", mine.GetProperty("details").GetString(), StringComparison.Ordinal);
        Assert.Contains("logged", mine.GetProperty("source").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_system_said_before_its_end_is_in_the_log_to_the_last_line()
    {
        const int Lines = 2000;
        var system = ActorSystem.Create("ended", AkkaSettings.ForDevices(new DataPaths(Folder)));
        var log = Logging.GetLogger(system.EventStream, typeof(FileLoggerSpecs));
        for (var i = 0; i < Lines; i++)
            log.Warning("line {0}", i);
        await system.Terminate();
        var said = File.ReadAllLines(Path.Combine(Folder, "log.txt")).Where(l => l.Contains(": line ", StringComparison.Ordinal));
        Assert.Equal(Enumerable.Range(0, Lines), said.Select(l => int.Parse(l[(l.LastIndexOf(' ') + 1)..])));
    }

    [Theory]
    [InlineData(NodeSettings.JsonLogs)]
    [InlineData("text")]
    public async Task A_full_log_is_put_aside_once_and_who_tails_it_misses_nothing(string format)
    {
        const int MostBytes = 4000, Lines = 200;
        var settings = ConfigurationFactory.ParseString($"elastic.log-file-bytes = {MostBytes}")
            .WithFallback(AkkaSettings.LogsAs(format)).WithFallback(AkkaSettings.ForDevices(new DataPaths(Folder)));
        // Lines of this test alone: others of the process log, too.
        var mark = $"{Guid.NewGuid():N}";
        var tail = TailAsync();
        using (var system = ActorSystem.Create("rotated", settings))
        {
            // Of what Akka says, lines that differ in numbers only are left out.
            var log = Logging.GetLogger(system.EventStream, typeof(FileLoggerSpecs));
            for (var i = 0; i < Lines; i++)
                log.Warning("{0} line {1} ü", mark, i);
            // What pbm log tail follows: all lines, in their order, whichever file has them.
            Assert.Equal(Enumerable.Range(0, Lines), (await tail.WaitAsync(TimeSpan.FromMinutes(1))).Select(NumberOf));
            await system.Terminate();
        }

        // What is left on the disk: two files within the bound, whole lines, the newest ones without a gap.
        string older = Path.Combine(Folder, "log.1.txt"), newest = Path.Combine(Folder, "log.txt");
        Assert.Equal([older, newest], Directory.GetFiles(Folder, "log*").Order(StringComparer.Ordinal));
        Assert.All([older, newest], path => Assert.InRange(new FileInfo(path).Length, 1, MostBytes));
        var kept = File.ReadAllLines(older).Concat(File.ReadAllLines(newest)).ToList();
        if (format == NodeSettings.JsonLogs)
            kept = [.. kept.Select(l => JsonDocument.Parse(l).RootElement.GetProperty("text").GetString()!)];
        var mine = kept.Where(l => l.Contains(mark, StringComparison.Ordinal)).Select(NumberOf).ToList();
        Assert.InRange(mine.Count, 10, Lines - 1);
        Assert.Equal(Enumerable.Range(Lines - mine.Count, mine.Count), mine);

        async Task<List<string>> TailAsync()
        {
            var seen = new List<string>();
            await foreach (var line in LogFeed.OfProcess.FollowAsync(LogSeverity.Warning, 0, TestContext.Current.CancellationToken))
            {
                if (line.Text.Contains(mark, StringComparison.Ordinal))
                    seen.Add(line.Text);
                if (seen.Count == Lines)
                    break;
            }

            return seen;
        }

        int NumberOf(string line) => int.Parse(line[(line.IndexOf(mark, StringComparison.Ordinal) + mark.Length + 6)..^2]);
    }
}
