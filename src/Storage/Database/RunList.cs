using Elastic.Messages;

namespace Elastic.Storage;

/// <summary>One run of the list.</summary>
/// <param name="Name">What people call it.</param>
/// <param name="StartedAt">By the database's clock.</param>
public sealed record ListedRun(RunId Run, string Name, DateTimeOffset StartedAt);

/// <summary>
/// The list of runs. A run is entered before its first event is stored, so that no run can be lost; a run without an event is not shown,
/// because it does not exist yet.
/// </summary>
public sealed class RunList(DatabaseAddress database)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StatementDeadline = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Enters a run, unless its name is in use: two seeds may enter one name at once while the supervision moves from one to the other.
    /// Asking again is safe, and changes nothing.
    /// </summary>
    /// <returns>The run that has the name from now on: this one, or the one that had it before.</returns>
    /// <exception cref="DatabaseUnavailableException">The database is down; it was tried for half a minute.</exception>
    public Task<RunId> AddAsync(RunId run, string name, CancellationToken cancel) => database.RetryAsync(
        Patience, StatementDeadline, async (connection, token) =>
        {
            await using var exclusive = await database.BeginExclusiveAsync(connection, token);
            if (await connection.ScalarAsync(
                "SELECT run FROM elastic_runs WHERE name = @name ORDER BY started_at DESC, run DESC LIMIT 1",
                token, ("name", name)) is string known)
                return new RunId(known);
            await connection.ExecuteAsync(
                $"INSERT INTO elastic_runs (run, name, started_at) VALUES (@run, @name, {database.Now()}) ON CONFLICT (run) DO NOTHING",
                token, ("run", run.Value), ("name", name));
            await exclusive.CommitAsync(token);
            return run;
        }, cancel);

    /// <summary>Removes a run from the list; its events stay. Asking again is safe, and changes nothing.</summary>
    /// <exception cref="DatabaseUnavailableException">The database is down; it was tried for half a minute.</exception>
    public Task RemoveAsync(RunId run, CancellationToken cancel) => database.RetryAsync(
        Patience, StatementDeadline, (connection, token) => connection.ExecuteAsync(
            "DELETE FROM elastic_runs WHERE run = @run", token, ("run", run.Value)), cancel);

    /// <summary>All runs, oldest first, and those that an older version of Elastic recorded, which it did not enter here.</summary>
    /// <exception cref="DatabaseUnavailableException">The database is down.</exception>
    public Task<IReadOnlyList<ListedRun>> ReadAsync(CancellationToken cancel) => database.CallAsync(
        StatementDeadline, (connection, token) => connection.QueryAsync(
        // The second half reads first events only: one for each run, by an index.
        """
        SELECT run, name, started_at FROM elastic_runs
        WHERE EXISTS (SELECT 1 FROM journal WHERE persistence_id = @prefix || run)
        UNION
        SELECT substr(persistence_id, length(@prefix) + 1), substr(persistence_id, length(@prefix) + 1), 0 FROM journal
        WHERE sequence_number = 1 AND identifier = @old AND persistence_id LIKE @prefix || '%'
        ORDER BY 3, 1
        """,
        row => new ListedRun(new RunId(row.GetString(0)), row.GetString(1), DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(2))),
        token, ("prefix", JournalRows.Prefix), ("old", JournalRows.OldIdentifier)), cancel);
}
