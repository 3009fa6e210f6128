using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Testing;

/// <summary>The journal's table, written by hand.</summary>
public static class JournalTable
{
    /// <summary>Writes events as a supervisor would have stored them, after those that are there.</summary>
    /// <param name="after">As many events of the run are there.</param>
    public static Task WriteAsync(DatabaseAddress database, RunId run, IReadOnlyList<RunEvent> events, long after = 0) =>
        database.CallAsync(TimeSpan.FromSeconds(60), async (connection, cancel) =>
        {
            await using var transaction = await database.BeginExclusiveAsync(connection, cancel);
            foreach (var (i, e) in events.Index())
                await connection.ExecuteAsync(
                    $"""
                    INSERT INTO journal (created, deleted, persistence_id, sequence_number, message, manifest, identifier, writer_uuid)
                    VALUES (0, {(database.Kind == DatabaseKind.Sqlite ? "0" : "false")}, @key, @number, @message, @manifest,
                    """ +
                    " @identifier, 'test')",
                    cancel,
                    ("key", JournalRows.KeyOf(run)), ("number", after + i + 1), ("message", EventCodec.Default.Write(e)),
                    ("manifest", EventCodec.Default.ManifestOf(e)), ("identifier", JournalRows.Identifier));
            await transaction.CommitAsync(cancel);
            return true;
        }, default);

    /// <summary>Tampers with the database.</summary>
    public static async Task ChangeAsync(DatabaseAddress database, string sql, params (string Name, object? Value)[] parameters) =>
        Assert.NotEqual(
            0, await database.CallAsync(
                TimeSpan.FromSeconds(30), (connection, cancel) => connection.ExecuteAsync(sql, cancel, parameters), default));
}
