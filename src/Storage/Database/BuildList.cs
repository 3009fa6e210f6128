using System.Text.Json;
using Elastic.Messages;

namespace Elastic.Storage;

/// <summary>Where the build of a corpus stands.</summary>
public enum BuildState
{
    /// <summary>A seed builds it, or goes on with it when it is back.</summary>
    Running,

    /// <summary>It is there.</summary>
    Done,

    /// <summary>A person has stopped it.</summary>
    Stopped,

    /// <summary>It cannot be built as it is.</summary>
    Failed,
}

/// <summary>The build of a corpus, as it was asked for.</summary>
/// <param name="Build">Its name.</param>
/// <param name="Seed">The seed that builds it.</param>
/// <param name="Path">Where the manifest was: paths in it are relative to that folder.</param>
/// <param name="Text">The manifest.</param>
/// <param name="Sets">Settings of the corpus, each "key=value".</param>
/// <param name="Who">Who has asked.</param>
/// <param name="StartedAt">By the database's clock.</param>
/// <param name="Note">What came of it, or why nothing did.</param>
public sealed record StoredBuild(
    string Build, NodeId Seed, string Path, string Text, IReadOnlyList<string> Sets, string Who, DateTimeOffset StartedAt, BuildState State,
    string Note);

/// <summary>
/// The list of the builds of corpora by nodes. What was read of a build is in the store of the seed that builds it, piece by piece; here is
/// what another process needs to go on with it.
/// </summary>
public sealed class BuildList(DatabaseAddress database)
{
    // People look at the last ones.
    private const int MostOver = 100;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StatementDeadline = TimeSpan.FromSeconds(10);

    /// <summary>Enters a build that begins. Asking again is safe, and changes nothing.</summary>
    /// <exception cref="DatabaseUnavailableException">The database is down; it was tried for half a minute.</exception>
    public async Task AddAsync(
        string build, NodeId seed, string path, string text, IReadOnlyList<string> sets, string who, CancellationToken cancel)
    {
        await ExecuteAsync(
            $"""
            INSERT INTO elastic_builds (build, seed, path, manifest, sets, who, started_at, state, note)
            VALUES (@build, @seed, @path, @text, @sets, @who, {database.Now()}, @state, '') ON CONFLICT (build) DO NOTHING
            """,
            cancel, ("build", build), ("seed", seed.Value), ("path", path), ("text", text), ("sets", JsonSerializer.Serialize(sets)),
            ("who", who), ("state", WordOf(BuildState.Running)));
        await ExecuteAsync(
            """
            DELETE FROM elastic_builds WHERE state <> @state AND build NOT IN (
              SELECT build FROM elastic_builds WHERE state <> @state ORDER BY started_at DESC, build LIMIT @most)
            """,
            cancel, ("state", WordOf(BuildState.Running)), ("most", MostOver));
    }

    /// <summary>Notes how a build ended, if this seed is the one that builds it.</summary>
    /// <inheritdoc cref="AddAsync" path="/exception"/>
    public async Task EndAsync(string build, NodeId seed, BuildState state, string note, CancellationToken cancel)
    {
        await ExecuteAsync(
            "UPDATE elastic_builds SET state = @state, note = @note WHERE build = @build AND seed = @seed",
            cancel, ("build", build), ("seed", seed.Value), ("state", WordOf(state)), ("note", note));
        // Nobody takes over what is over.
        await ExecuteAsync(
            "DELETE FROM elastic_build_pieces WHERE build NOT IN (SELECT build FROM elastic_builds WHERE state = @state)",
            cancel, ("state", WordOf(BuildState.Running)));
    }

    /// <summary>Takes over a build of a seed that is gone, unless another seed was faster.</summary>
    /// <returns>True where this seed builds it from now on.</returns>
    /// <inheritdoc cref="AddAsync" path="/exception"/>
    public async Task<bool> TakeOverAsync(string build, NodeId from, NodeId to, CancellationToken cancel) => await ExecuteAsync(
        "UPDATE elastic_builds SET seed = @to WHERE build = @build AND seed = @from AND state = @state",
        cancel, ("build", build), ("from", from.Value), ("to", to.Value), ("state", WordOf(BuildState.Running))) == 1;

    /// <summary>All builds, the oldest first.</summary>
    /// <exception cref="DatabaseUnavailableException">The database is down.</exception>
    public Task<IReadOnlyList<StoredBuild>> ReadAsync(CancellationToken cancel) => database.CallAsync(
        StatementDeadline, (connection, token) => connection.QueryAsync(
            "SELECT build, seed, path, manifest, sets, who, started_at, state, note FROM elastic_builds ORDER BY started_at, build",
            row => new StoredBuild(
                row.GetString(0), new NodeId(row.GetString(1)), row.GetString(2), row.GetString(3),
                JsonSerializer.Deserialize<string[]>(row.GetString(4))!, row.GetString(5),
                DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(6)), StateOf(row.GetString(7)), row.GetString(8)),
            token), cancel);

    private Task<int> ExecuteAsync(string sql, CancellationToken cancel, params (string Name, object Value)[] values) =>
        database.RetryAsync(
            Patience, StatementDeadline,
            (connection, token) => connection.ExecuteAsync(sql, token, [.. values.Select(v => (v.Name, (object?)v.Value))]), cancel);

    private static string WordOf(BuildState state) => state switch
    {
        BuildState.Running => "running",
        BuildState.Done => "done",
        BuildState.Stopped => "stopped",
        _ => "failed",
    };

    private static BuildState StateOf(string word) => Enum.GetValues<BuildState>().Where(s => WordOf(s) == word).Cast<BuildState?>()
        .FirstOrDefault()
        ?? throw new InvalidDataException($"a build of the database has the state \"{word}\", which this version does not know");
}
