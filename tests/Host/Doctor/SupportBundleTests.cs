using System.IO.Compression;
using Elastic.Foundation;
using Elastic.Host.Doctor;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Messages.Pbm;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Host.Tests.Doctor;

public sealed class SupportBundleTests : TemporaryFolder
{
    [Fact]
    public async Task It_has_what_helps_and_no_secret()
    {
        var data = new DataDirectory(Folder);
        var database = DatabaseAddress.Parse(null, Folder);
        await database.PrepareAsync(_ => { }, default);
        await new RunList(database).AddAsync(RunSamples.Id, "a", default);
        await JournalTable.WriteAsync(database, RunSamples.Id, RunSamples.Journal(4));
        await new ObservationStore(database).AppendAsync([(new NodeLost(new NodeId("w3"), "it says nothing"), TimeSpan.Zero)], default);
        var token = PbmToken.OfSeed(Folder);
        Directory.CreateDirectory(Path.Combine(Folder, "certs"));
        File.WriteAllText(Path.Combine(Folder, "certs", "node.key"), "a key");
        File.WriteAllText(data.LogFile, new string('x', 5 << 20) + $"\nthe end, and a token that should not be here: {token.Secret}\n");
        Directory.CreateDirectory(data.Run(RunSamples.Id).Root);
        File.WriteAllText(data.Run(RunSamples.Id).LogFile, "round 1\n");

        var path = Path.Combine(Folder, "help.zip");
        var names = await new SupportBundle(data).WriteAsync(path, "ok  memory", database, default);
        using var archive = await ZipFile.OpenReadAsync(path);
        var texts = archive.Entries.ToDictionary(e => e.FullName, Text);
        Assert.Equal(
            ["doctor.txt", "log.txt", $"runs/{RunSamples.Id}/log.txt", $"runs/{RunSamples.Id}/settings.txt", "observations.txt"], names);
        Assert.Equal(names.Order(StringComparer.Ordinal), texts.Keys.Order(StringComparer.Ordinal));
        Assert.EndsWith("should not be here: ***\n", texts["log.txt"], StringComparison.Ordinal);
        Assert.True(texts["log.txt"].Length <= 4 << 20);
        Assert.Contains("\"run.replicas\":2", texts[$"runs/{RunSamples.Id}/settings.txt"], StringComparison.Ordinal);
        Assert.Contains("it says nothing", texts["observations.txt"], StringComparison.Ordinal);
        foreach (var secret in new[] { token.Secret, "a key" })
            Assert.DoesNotContain(texts.Values, t => t.Contains(secret, StringComparison.Ordinal));

        var there = await Assert.ThrowsAsync<ElasticException>(() => new SupportBundle(data).WriteAsync(path, "", null, default));
        Assert.Contains("is there already", there.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_a_log_that_was_just_put_aside_it_has_the_end_too()
    {
        var data = new DataDirectory(Folder);
        File.WriteAllText(data.LogFile, "the newest line\n");
        File.WriteAllText(new LogFile(data.LogFile).Older, new string('x', 5 << 20) + "\nwhy it failed\n");
        var path = Path.Combine(Folder, "help.zip");
        Assert.Equal(["doctor.txt", "log.txt", "log.1.txt"], await new SupportBundle(data).WriteAsync(path, "", null, default));
        using var archive = await ZipFile.OpenReadAsync(path);
        Assert.Equal("the newest line\n", Text(archive.GetEntry("log.txt")!));
        var older = Text(archive.GetEntry("log.1.txt")!);
        Assert.EndsWith("why it failed\n", older, StringComparison.Ordinal);
        Assert.Equal((4 << 20) - "the newest line\n".Length, older.Length);
    }

    private static string Text(ZipArchiveEntry entry)
    {
        using var reader = new StreamReader(entry.Open());
        return reader.ReadToEnd();
    }
}
