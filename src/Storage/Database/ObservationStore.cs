using System.Data.Common;
using System.Globalization;
using System.Text;
using Elastic.Messages;
using Elastic.Messages.Observations;

namespace Elastic.Storage;

/// <summary>An observation and when it was made.</summary>
public sealed record Observed(DateTimeOffset At, Observation What);

/// <summary>A stored observation.</summary>
/// <param name="Id">Ascending: a follower asks for what comes after the last one that it has.</param>
/// <param name="At">By the database's clock.</param>
/// <param name="What">Null where another version of Elastic stored it and this one does not know its kind.</param>
public sealed record StoredObservation(long Id, DateTimeOffset At, string Kind, string Payload, Observation? What);

/// <summary>Which observations to read, oldest first.</summary>
/// <param name="After">An id; 0 for all.</param>
/// <param name="Run">Null for those of all runs, and of none.</param>
/// <param name="Kinds">Null for every kind.</param>
/// <param name="Newest">Where there are more than <paramref name="AtMost"/>, the newest of them instead of the oldest.</param>
public sealed record ObservationQuery(
    long After = 0, RunId? Run = null, IReadOnlyList<Type>? Kinds = null, int AtMost = 1000, bool Newest = false);

/// <summary>The table of the observations: append-only, outside of the journal's hash chain, and bounded.</summary>
public sealed class ObservationStore(DatabaseAddress database)
{
    /// <summary>
    /// Rows of one kind that are kept: a day of a run that takes a step a second, in some 15 MB. For each kind by itself, so that steps do
    /// not push out the nodes that were lost meanwhile.
    /// </summary>
    public const int RowsOfAKind = 100_000;

    /// <summary>Long enough to ask why last week's run was slow, and bounds the table of a cluster that runs for years.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    // PostgreSQL takes 65,535 parameters in a statement, SQLite 32,766; a row has four.
    private const int RowsAtOnce = 500;

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    /// <summary>Creates the table.</summary>
    public static string TableFor(DatabaseKind kind) => $"""
        CREATE TABLE IF NOT EXISTS elastic_observations (
          id {(kind == DatabaseKind.Sqlite ? "INTEGER PRIMARY KEY AUTOINCREMENT" : "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")},
          run VARCHAR(255) NULL, at BIGINT NOT NULL, kind VARCHAR(64) NOT NULL, payload TEXT NOT NULL);
        CREATE INDEX IF NOT EXISTS elastic_observations_kind ON elastic_observations (kind, id);
        CREATE INDEX IF NOT EXISTS elastic_observations_run ON elastic_observations (run, id);
        """;

    /// <summary>Appends a batch.</summary>
    /// <param name="batch">Each with its age.</param>
    /// <exception cref="DatabaseUnavailableException">The database is down; they may have been stored all the same.</exception>
    public Task<int> AppendAsync(IReadOnlyList<(Observation What, TimeSpan Age)> batch, CancellationToken cancel) =>
        database.CallAsync(Deadline, async (connection, token) =>
        {
            foreach (var rows in batch.Chunk(RowsAtOnce))
                await AppendAsync(connection, rows, token);
            return batch.Count;
        }, cancel);

    /// <summary>The id of the newest one; 0 where there is none.</summary>
    /// <exception cref="DatabaseUnavailableException">The database is down.</exception>
    public Task<long> NewestAsync(CancellationToken cancel) => database.CallAsync(Deadline, async (connection, token) =>
        (await connection.QueryAsync("SELECT COALESCE(MAX(id), 0) FROM elastic_observations", row => row.GetInt64(0), token))[0], cancel);

    /// <summary>True where the same was stored before.</summary>
    /// <exception cref="DatabaseUnavailableException">The database is down.</exception>
    public Task<bool> HasAsync(RunObservation what, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(what);
        return database.CallAsync(Deadline, async (connection, token) => (await connection.QueryAsync(
            "SELECT id FROM elastic_observations WHERE run = @run AND kind = @kind AND payload = @payload LIMIT 1",
            row => row.GetInt64(0), token, ("run", what.RunId.Value), ("kind", ObservationCodec.KindOf(what.GetType())),
            ("payload", ObservationCodec.Write(what)))).Count > 0, cancel);
    }

    /// <summary>Reads, oldest first.</summary>
    /// <exception cref="DatabaseUnavailableException">The database is down.</exception>
    public async Task<IReadOnlyList<StoredObservation>> ReadAsync(ObservationQuery query, CancellationToken cancel)
    {
        var kinds = query.Kinds?
            .Select((type, i) =>
                (Name: string.Create(CultureInfo.InvariantCulture, $"kind{i}"), Value: (object?)ObservationCodec.KindOf(type)))
            .ToList() ?? [];
        var sql = "SELECT id, at, kind, payload FROM elastic_observations WHERE id > @after"
                  + (query.Run is null ? "" : " AND run = @run")
                  + (query.Kinds is null ? "" : $" AND kind IN ({string.Join(", ", kinds.Select(k => "@" + k.Name))})")
                  + $" ORDER BY id {(query.Newest ? "DESC" : "ASC")} LIMIT @most";
        (string, object?)[] parameters = [("after", query.After), ("most", query.AtMost), ("run", query.Run?.Value), .. kinds];
        var read = await database.CallAsync(Deadline, (connection, token) => connection.QueryAsync(sql, Read, token,
            [.. parameters.Where(p => p.Item2 is not null)]), cancel);
        return query.Newest ? [.. read.Reverse()] : read;
    }

    /// <summary>Deletes rows that are too old or too many.</summary>
    /// <param name="rowsOfAKind">See <see cref="RowsOfAKind"/>.</param>
    /// <exception cref="DatabaseUnavailableException">The database is down.</exception>
    public Task<int> PruneAsync(int rowsOfAKind, CancellationToken cancel) => database.CallAsync(Deadline, async (connection, token) =>
    {
        var deleted = await connection.ExecuteAsync(
            $"DELETE FROM elastic_observations WHERE at < {database.Now()} - @age", token, ("age", (long)Kept.TotalMilliseconds));
        foreach (var kind in ObservationCodec.All.Select(ObservationCodec.KindOf))
        {
            deleted += await connection.ExecuteAsync(
                "DELETE FROM elastic_observations WHERE kind = @kind AND id <= " +
                "(SELECT id FROM elastic_observations WHERE kind = @kind ORDER BY id DESC LIMIT 1 OFFSET @most)",
                token, ("kind", kind), ("most", rowsOfAKind));
        }

        return deleted;
    }, cancel);

    private async Task AppendAsync(DbConnection connection, (Observation What, TimeSpan Age)[] rows, CancellationToken cancel)
    {
        var sql = new StringBuilder("INSERT INTO elastic_observations (run, at, kind, payload) VALUES ");
        var parameters = new List<(string, object?)>(4 * rows.Length);
        for (var i = 0; i < rows.Length; i++)
        {
            // The machines' clocks may be an hour apart; the database has one.
            sql.Append(CultureInfo.InvariantCulture, $"{(i == 0 ? "" : ", ")}(@r{i}, {database.Now()} - @a{i}, @k{i}, @p{i})");
            var (what, age) = rows[i];
            parameters.AddRange(
            [
                (string.Create(CultureInfo.InvariantCulture, $"r{i}"), (what as RunObservation)?.RunId.Value),
                (string.Create(CultureInfo.InvariantCulture, $"a{i}"), (long)age.TotalMilliseconds),
                (string.Create(CultureInfo.InvariantCulture, $"k{i}"), ObservationCodec.KindOf(what.GetType())),
                (string.Create(CultureInfo.InvariantCulture, $"p{i}"), ObservationCodec.Write(what)),
            ]);
        }

        await connection.ExecuteAsync(sql.ToString(), cancel, [.. parameters]);
    }

    private static StoredObservation Read(DbDataReader row)
    {
        var (kind, payload) = (row.GetString(2), row.GetString(3));
        return new StoredObservation(
            row.GetInt64(0), DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(1)), kind, payload, ObservationCodec.Read(kind, payload));
    }
}
