using System.Data.Common;

namespace Elastic.Storage;

/// <summary>
/// The seeds that are up, in the database: so seeds find each other, and only one of them forms a cluster when there is none. A seed counts
/// as up for a while after its last beat, by the database's clock. A beat in the future was written before that clock was set back: it
/// counts for nothing, and a seed that lives beats again within a second.
/// </summary>
public sealed class SeedRegistry(DatabaseAddress database)
{
    /// <summary>How often a seed that is in the cluster beats.</summary>
    public static readonly TimeSpan Beat = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Believed = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan Remembered = TimeSpan.FromMinutes(10);

    // A seed that is not up is entered with a beat so long ago that nobody believes or remembers it; it is known for another ten minutes,
    // which no attempt to join takes.
    private static readonly TimeSpan Entered = 2 * Remembered;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    /// <summary>"host:port" of the other seeds that are up.</summary>
    /// <exception cref="DatabaseUnavailableException">The database is down: nothing is known.</exception>
    public Task<IReadOnlyList<string>> OthersAsync(string self, CancellationToken cancel) =>
        database.CallAsync(Deadline, (connection, token) => OthersAsync(connection, self, Believed, token), cancel);

    /// <summary>"host:port" of the other seeds that were up not long ago.</summary>
    /// <exception cref="DatabaseUnavailableException">The database is down: nothing is known.</exception>
    public Task<IReadOnlyList<string>> RecentAsync(string self, CancellationToken cancel) =>
        database.CallAsync(Deadline, (connection, token) => OthersAsync(connection, self, Remembered, token), cancel);

    /// <summary>Enters this seed as the first of a new cluster.</summary>
    /// <returns>False when another one is up, or was faster.</returns>
    /// <exception cref="DatabaseUnavailableException">The database is down: nothing is known.</exception>
    public Task<bool> TryFormAsync(string self, CancellationToken cancel) => database.CallAsync(Deadline, async (connection, token) =>
    {
        await using var exclusive = await database.BeginExclusiveAsync(connection, token);
        if ((await OthersAsync(connection, self, Believed, token)).Count > 0)
            return false;
        await BeatAsync(connection, self, token);
        await exclusive.CommitAsync(token);
        return true;
    }, cancel);

    /// <summary>
    /// Enters this seed before it asks to be let into the cluster: whoever then finds it among the members and not in the database knows
    /// that it is none. It counts as up from its first beat on.
    /// </summary>
    /// <exception cref="DatabaseUnavailableException">The database is down: nothing is known.</exception>
    public Task AnnounceAsync(string self, CancellationToken cancel) =>
        database.CallAsync(Deadline, (connection, token) => EnterAsync(connection, self, Remembered, token), cancel);

    /// <summary>"host:port" of the other seeds that have entered themselves, be they up, on their way or gone not long ago.</summary>
    /// <exception cref="DatabaseUnavailableException">The database is down: nothing is known.</exception>
    public Task<IReadOnlyList<string>> EnteredAsync(string self, CancellationToken cancel) =>
        database.CallAsync(Deadline, (connection, token) => OthersAsync(connection, self, Entered, token), cancel);

    /// <summary>Notes that this seed is up.</summary>
    /// <exception cref="DatabaseUnavailableException">The database is down.</exception>
    public Task BeatAsync(string self, CancellationToken cancel) =>
        database.CallAsync(Deadline, (connection, token) => BeatAsync(connection, self, token), cancel);

    /// <summary>Notes that this seed is not up any more. It is still a seed: others see it in the cluster until it has left.</summary>
    /// <exception cref="DatabaseUnavailableException">The database is down: the last beat expires a little later.</exception>
    public Task LeaveAsync(string self, CancellationToken cancel) => AnnounceAsync(self, cancel);

    private async Task<IReadOnlyList<string>> OthersAsync(DbConnection connection, string self, TimeSpan within, CancellationToken cancel)
    {
        var others = await connection.ScalarAsync(
            $"SELECT {(database.Kind == DatabaseKind.Sqlite ? "group_concat(address)" : "string_agg(address, ',')")} " +
            $"FROM elastic_seeds WHERE address <> @address AND seen > {database.Now()} - @within AND seen <= {database.Now()} + @ahead",
            cancel, ("address", self), ("within", (long)within.TotalMilliseconds), ("ahead", (long)Believed.TotalMilliseconds));
        return others is string list ? [.. list.Split(',').Order(StringComparer.Ordinal)] : [];
    }

    private Task<int> BeatAsync(DbConnection connection, string self, CancellationToken cancel) =>
        EnterAsync(connection, self, TimeSpan.Zero, cancel);

    private Task<int> EnterAsync(DbConnection connection, string self, TimeSpan ago, CancellationToken cancel) => connection.ExecuteAsync(
        $"INSERT INTO elastic_seeds (address, seen) VALUES (@address, {database.Now()} - @ago) " +
        "ON CONFLICT (address) DO UPDATE SET seen = excluded.seen",
        cancel, ("address", self), ("ago", (long)ago.TotalMilliseconds));
}
