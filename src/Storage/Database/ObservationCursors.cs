
namespace Elastic.Storage;

/// <summary>
/// How far somebody outside has been told of the observations, in the database: the next seed goes on from there.
/// </summary>
public sealed class ObservationCursors(DatabaseAddress database)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The id of the last observation that was told of. A new name begins at the newest there is: what was before is history.
    /// </summary>
    /// <exception cref="DatabaseUnavailableException">The database is down.</exception>
    public Task<long> ReadAsync(string name, CancellationToken cancel) => database.CallAsync(Deadline, async (connection, token) =>
    {
        await connection.ExecuteAsync(
            "INSERT INTO elastic_cursors (name, last) SELECT @name, COALESCE(MAX(id), 0) FROM elastic_observations "
            + "WHERE true ON CONFLICT (name) DO NOTHING", token, ("name", name));
        return (await connection.QueryAsync("SELECT last FROM elastic_cursors WHERE name = @name", row => row.GetInt64(0), token,
            ("name", name)))[0];
    }, cancel);

    /// <summary>Notes that everything up to an observation was told of. Never goes back.</summary>
    /// <exception cref="DatabaseUnavailableException">The database is down: it may be told of once more.</exception>
    public Task<int> AdvanceAsync(string name, long last, CancellationToken cancel) => database.CallAsync(Deadline,
        (connection, token) => connection.ExecuteAsync(
            "UPDATE elastic_cursors SET last = @last WHERE name = @name AND last < @last", token, ("name", name), ("last", last)), cancel);
}
