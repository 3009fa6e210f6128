using System.Data.Common;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;

namespace Elastic.Storage;

/// <summary>
/// Reads a run's events straight from the journal's table, whether seeds are writing it or not. Never reads a snapshot, so that an audit
/// rests on events alone.
/// </summary>
public static class JournalReader
{
    // A page is one statement, which must end well before the deadline of our calls.
    private const int PageRows = 1000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PageDeadline = TimeSpan.FromSeconds(20);

    /// <summary>All events of a run, oldest first; none where there is no such run.</summary>
    /// <exception cref="ElasticException">An event is missing or damaged, or the journal is of an older version of Elastic.</exception>
    /// <exception cref="DatabaseUnavailableException">The database cannot be read.</exception>
    public static Task<IReadOnlyList<RunEvent>> ReadAsync(DatabaseAddress database, RunId run, CancellationToken cancel) =>
        ReadAsync(database, run, 0, cancel);

    /// <summary>The events of a run after so many.</summary>
    /// <inheritdoc cref="ReadAsync(DatabaseAddress, RunId, CancellationToken)"/>
    public static async Task<IReadOnlyList<RunEvent>> ReadAsync(DatabaseAddress database, RunId run, long after, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(database);
        var events = new List<RunEvent>();
        var readOnly = database.ReadOnly();
        IReadOnlyList<Row> page;
        do
        {
            page = await readOnly.RetryAsync(
                Patience, PageDeadline, (connection, token) => PageAsync(connection, run, after + events.Count, token), cancel);
            foreach (var row in page)
                events.Add(Event(run, row, after + events.Count + 1));
        }
        while (page.Count == PageRows);

        return events;
    }

    /// <summary>The run's start and the changes of its settings, oldest first.</summary>
    /// <inheritdoc cref="ReadAsync(DatabaseAddress, RunId, CancellationToken)"/>
    public static Task<IReadOnlyList<RunEvent>> ReadSettingsAsync(DatabaseAddress database, RunId run, CancellationToken cancel) =>
        ReadKindsAsync(database, run, OfSettings, cancel);

    /// <summary>Besides those of its settings, the events that decide which checkpoints the run has, and on which corpus.</summary>
    /// <inheritdoc cref="ReadAsync(DatabaseAddress, RunId, CancellationToken)"/>
    public static Task<IReadOnlyList<RunEvent>> ReadCheckpointsAsync(DatabaseAddress database, RunId run, CancellationToken cancel) =>
        ReadKindsAsync(database, run, [.. OfSettings, .. OfCheckpoints], cancel);

    private static readonly string[] OfSettings = ["settings-changed", "segment-planned", "corpus-completed"];

    private static readonly string[] OfCheckpoints =
        ["corpus-published", "window-added", "checkpoint-taken", "checkpoint-dropped", "rolled-back"];

    private static async Task<IReadOnlyList<RunEvent>> ReadKindsAsync(
        DatabaseAddress database, RunId run, IReadOnlyList<string> kinds, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(database);
        var ofKind = string.Concat(kinds.Select(kind => $" OR manifest = '{kind}' OR manifest LIKE '{kind}.%'"));
        var rows = await database.ReadOnly().CallAsync(
            PageDeadline, (connection, token) => connection.QueryAsync(
                $"""
                SELECT {Columns} FROM journal WHERE persistence_id = @key AND (sequence_number = 1{ofKind}) ORDER BY sequence_number
                """, RowOf, token, ("key", JournalRows.KeyOf(run))), cancel);
        return [.. rows.Select(row => Event(run, row, row.Number))];
    }

    private const string Columns = "sequence_number, deleted, identifier, manifest, message";

    private static Task<IReadOnlyList<Row>> PageAsync(
        DbConnection connection, RunId run, long after, CancellationToken cancel) =>
        connection.QueryAsync(
            $"""
            SELECT {Columns} FROM journal
            WHERE persistence_id = @key AND sequence_number > @after ORDER BY sequence_number LIMIT @rows
            """, RowOf, cancel, ("key", JournalRows.KeyOf(run)), ("after", after), ("rows", PageRows));

    private static Row RowOf(DbDataReader row) => new(
        row.GetInt64(0), row.GetBoolean(1), row.IsDBNull(2) ? 0 : row.GetInt32(2), row.IsDBNull(3) ? "" : row.GetString(3),
        row.GetFieldValue<byte[]>(4));

    private static RunEvent Event(RunId run, Row row, long due)
    {
        // Elastic never deletes an event: one that is marked as deleted counts as missing.
        if (row.Number != due || row.Deleted)
            throw new ElasticException(
                $"the journal of run {run} has a gap: event {due} is missing; " +
                "it was tampered with or damaged, restore journal.db from a copy");
        if (row.Identifier == JournalRows.OldIdentifier)
            throw new ElasticException($"run {run}: {JournalRows.OldFormat}");
        if (row.Identifier != JournalRows.Identifier)
            throw new ElasticException(
                $"event {due} of run {run} was written by serializer {row.Identifier}, which is none of Elastic's: " +
                "restore the journal's database from a copy");
        try
        {
            return EventCodec.Default.Read(row.Manifest, row.Payload);
        }
        catch (ElasticException e)
        {
            throw new ElasticException($"event {due} of run {run}: {e.Message}", e);
        }
    }

    private sealed record Row(long Number, bool Deleted, int Identifier, string Manifest, byte[] Payload);
}
