using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Storage;

/// <summary>
/// Lets only the newest supervisor of a run commit: both sides of a split, or a supervisor that resumes after an hour, may try to commit,
/// but the database has one term and one open round.
/// </summary>
/// <remarks>
/// The open round is the first that is not committed, 0 at first. Each call is one statement on one row, so that no other call can come in
/// between. While the database is down or locked, a call is tried again for half a minute; then it throws a
/// <see cref="DatabaseUnavailableException"/>.
/// </remarks>
public sealed class CommitFence(DatabaseAddress database)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StatementDeadline = TimeSpan.FromSeconds(10);

    /// <summary>Begins the term of a supervisor that has recovered: from now on no older one can commit.</summary>
    /// <param name="round">The open round that it recovered. It counts, not the row's: a commit that never reached the journal is done
    /// again.</param>
    /// <returns>The term, higher than any before.</returns>
    public Task<long> BeginTermAsync(RunId run, int round, CancellationToken cancel) =>
        database.RetryAsync(Patience, StatementDeadline, async (connection, token) => (long)(await connection.ScalarAsync(
            """
            INSERT INTO elastic_fence (run, term, round, version) VALUES (@run, 1, @round, NULL)
            ON CONFLICT (run) DO UPDATE SET term = elastic_fence.term + 1, round = excluded.round, version = NULL
            RETURNING term
            """, token, ("run", run.Value), ("round", round)))!, cancel);

    /// <summary>Commits <paramref name="round"/>, which opens the next one. Asking again with the same version is safe.</summary>
    /// <param name="term">What <see cref="BeginTermAsync"/> gave.</param>
    /// <param name="version">The model version that the round results in.</param>
    /// <returns>False when a newer supervisor has taken over, or <paramref name="round"/> is not the open round: then nothing has
    /// changed.</returns>
    public Task<bool> CommitAsync(RunId run, long term, int round, Digest version, CancellationToken cancel) =>
        ChangeAsync(
            """
            UPDATE elastic_fence SET round = @round + 1, version = @version
            WHERE run = @run AND term = @term AND (round = @round OR (round = @round + 1 AND version = @version))
            """, cancel, ("run", run.Value), ("term", term), ("round", round), ("version", version.Hex));

    /// <summary>
    /// Whether the database that is at the address now has an event of the run that was stored before. It has not where it was set back to
    /// an older state, or where another file has taken the place of the one that is open; then whatever is opened next is opened anew.
    /// </summary>
    /// <param name="number">The event's number; 0 is there in any case.</param>
    public async Task<bool> HoldsAsync(RunId run, long number, CancellationToken cancel)
    {
        var holds = number == 0 || await database.Fresh().RetryAsync(
            Patience, StatementDeadline, async (connection, token) => await connection.ScalarAsync(
                "SELECT 1 FROM journal WHERE persistence_id = @key AND sequence_number = @number", token,
                ("key", JournalRows.KeyOf(run)), ("number", number)) is not null, cancel);
        if (!holds)
            database.Reopen();
        return holds;
    }

    /// <inheritdoc cref="DatabaseAddress.Reopen"/>
    public void Reopen() => database.Reopen();

    private Task<bool> ChangeAsync(string sql, CancellationToken cancel, params (string, object?)[] parameters) =>
        database.RetryAsync(
            Patience, StatementDeadline, async (connection, token) => await connection.ExecuteAsync(sql, token, parameters) == 1, cancel);
}
