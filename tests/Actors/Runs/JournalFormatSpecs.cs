using Elastic.Actors.Control;
using Elastic.Actors.Tests.Nodes;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Runs;

public sealed class JournalFormatSpecs : IDisposable
{
    // The first event of a run as version 0.2 stored it, by Hyperion.
    private const string OldStart = """
+zsAAABFbGFzdGljLk1lc3NhZ2VzLlJ1bnMuUnVuRXZlbnQrUnVuU3RhcnRlZCwgRWxhc3RpYy5NZXNzYWdlcwYbAAAAPEFyaXRobWV0aWM+a19fQmFja2luZ0ZpZWxkFwAAADxCbG9j
a3M+a19fQmFja2luZ0ZpZWxkFwAAADxDb3JwdXM+a19fQmFja2luZ0ZpZWxkHgAAADxIZWxkT3V0QmxvY2tzPmtfX0JhY2tpbmdGaWVsZBYAAAA8UnVuSWQ+a19fQmFja2luZ0ZpZWxk
GQAAADxTZXR0aW5ncz5rX19CYWNraW5nRmllbGQHBjEgY3B1AugDAAAAAAAA+ykAAABFbGFzdGljLk1lc3NhZ2VzLkRpZ2VzdCwgRWxhc3RpYy5NZXNzYWdlcwEUAAAAPEhleD5rX19C
YWNraW5nRmllbGQHQTZiMTdiOGZjYzQxMWE1MzNjODIyYTUxMTdlMzNjZjczZmE2NzY2NzM5ZDdkMzZhYzg2ZGM0YmVhODgzYWY0ZmUCZAAAAAAAAAD7KAAAAEVsYXN0aWMuTWVzc2Fn
ZXMuUnVuSWQsIEVsYXN0aWMuTWVzc2FnZXMBFgAAADxWYWx1ZT5rX19CYWNraW5nRmllbGQHAmEHEXsicnVuLm5hbWUiOiJhIn0=
""";

    private readonly TinyRun _tiny = new();

    private DatabaseAddress Database => DatabaseAddress.Parse(null, Path.Combine(_tiny.Root, "data"));

    public void Dispose()
    {
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _tiny.Dispose();
    }

    [Fact]
    public async Task The_journal_s_rows_have_the_codec_s_id_and_each_event_s_name()
    {
        await _tiny.TrainAsync(TinyRun.Settings("a"), "cpu:1");
        var rows = await Database.CallAsync(TimeSpan.FromSeconds(10), (connection, cancel) => connection.QueryAsync(
            "SELECT identifier, manifest, message FROM journal ORDER BY ordering",
            row => (row.GetInt32(0), row.GetString(1), row.GetFieldValue<byte[]>(2)), cancel), default);

        Assert.Equal("run-started", rows[0].Item2);
        Assert.Equal("run-finished", rows[^1].Item2);
        Assert.All(rows, row =>
        {
            Assert.Equal(4054, row.Item1);
            Assert.Contains(EventKind.All, kind => kind.Manifest == row.Item2);
            Assert.Equal((byte)'{', row.Item3[0]);
        });
        var listed = Assert.Single(await new RunList(Database).ReadAsync(default));
        Assert.Equal(("a", "a"), (listed.Name, listed.Run.Name.Value));
        Assert.Matches("^a-[0-9a-z]{8}$", listed.Run.Value);
    }

    [Fact]
    public async Task A_run_that_an_older_version_recorded_is_refused_with_what_to_do_and_never_shown_as_empty()
    {
        const string remedy =
            "its journal was written by an older version of Elastic, and this version does not read it: finish the run with the version " +
            "that wrote it, or start anew under another name or in another data directory";
        var settings = TinyRun.Settings("a", rounds: 1);
        await _tiny.TrainAsync(settings, "cpu:1");
        await JournalTable.ChangeAsync(Database, "DELETE FROM elastic_runs");
        await JournalTable.ChangeAsync(Database, "DELETE FROM journal WHERE sequence_number > 1");
        await JournalTable.ChangeAsync(
            Database, "UPDATE journal SET persistence_id = 'run-a', identifier = 4053, manifest = '', message = @message",
            ("message", Convert.FromBase64String(OldStart)));

        var audit = await Assert.ThrowsAsync<ElasticException>(() =>
            JournalAudit.RunAsync(Path.Combine(_tiny.Root, "data"), null, new RunName("a"), default));
        Assert.Equal($"run a: {remedy}", audit.Message);

        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await using var node = await _tiny.StartAsync("cpu:1", "data", deadline.Token);
        var corpus = await node.BuildCorpusAsync(
            settings.Corpus with { Sources = [Path.Combine(_tiny.Root, "text")] }, null, deadline.Token);
        var refused = Assert.IsType<RunReply.Refused>(await node.StartRunAsync(settings, corpus, Origins.Now("a test")));
        Assert.Equal($"run a cannot be read: {remedy}", refused.Why);
        Assert.Equal(1, _tiny.CountEvents("data"));
    }
}
