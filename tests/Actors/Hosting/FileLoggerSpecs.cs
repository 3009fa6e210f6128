using System.Text.Json;
using Akka.Actor;
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
}
