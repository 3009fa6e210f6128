using System.Data.Common;

namespace Elastic.Storage;

/// <summary>
/// The list of the seeds that other seeds have downed. Where a network splits, each side takes the other one for dead; the side that enters
/// the other one first goes on, and the other one finds itself on the list, however late it looks.
/// </summary>
/// <remarks>A seed is named with its incarnation (host:port#uid): the next process at the same address is another one.</remarks>
public sealed class DownedSeeds(DatabaseAddress database)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    /// <summary>Enters <paramref name="seeds"/>, unless <paramref name="judge"/> is on the list itself. Asking again is safe.</summary>
    /// <param name="ended">Owners of leases whose processes have ended: their leases are free at once, not a time-to-live later.</param>
    /// <returns>Null when it is done; else who downed the judge.</returns>
    /// <exception cref="DatabaseUnavailableException">The database is down: nothing is known.</exception>
    public Task<string?> DownAsync(
        string judge, IReadOnlyCollection<string> seeds, IReadOnlyCollection<string> ended, CancellationToken cancel) =>
        database.CallAsync(Deadline, (connection, token) => DownAsync(connection, judge, seeds, ended, token), cancel);

    /// <summary>Who downed <paramref name="seed"/>; null for nobody.</summary>
    /// <exception cref="DatabaseUnavailableException">The database is down: nothing is known.</exception>
    public Task<string?> JudgeOfAsync(string seed, CancellationToken cancel) =>
        database.CallAsync(Deadline, (connection, token) => JudgeOfAsync(connection, seed, token), cancel);

    private async Task<string?> DownAsync(
        DbConnection connection, string judge, IReadOnlyCollection<string> seeds, IReadOnlyCollection<string> ended,
        CancellationToken cancel)
    {
        // Exclusive: otherwise both sides could look before either has written.
        await using var transaction = await database.BeginExclusiveAsync(connection, cancel);
        if (await JudgeOfAsync(connection, judge, cancel) is { } other)
            return other;
        foreach (var seed in seeds)
        {
            await connection.ExecuteAsync(
                $"INSERT INTO elastic_downed (node, judge, downed_at) VALUES (@node, @judge, {database.Now()}) " +
                "ON CONFLICT (node) DO NOTHING",
                cancel, ("node", seed), ("judge", judge));
        }
        foreach (var owner in ended)
            await connection.ExecuteAsync("DELETE FROM elastic_leases WHERE owner = @owner", cancel, ("owner", owner));
        await transaction.CommitAsync(cancel);
        return null;
    }

    private static async Task<string?> JudgeOfAsync(DbConnection connection, string seed, CancellationToken cancel) =>
        (string?)await connection.ScalarAsync("SELECT judge FROM elastic_downed WHERE node = @node", cancel, ("node", seed));
}
