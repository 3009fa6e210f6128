using Elastic.Messages;

namespace Elastic.Storage;

/// <summary>
/// Tells by what a data directory holds that the database is an older state of itself: a copy that was put back, or a SQLite file whose
/// write-ahead log was lost or damaged, of which SQLite says nothing. The answer does not change by that; work is lost.
/// </summary>
public static class OlderDatabase
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    // People read the message.
    private const int MostNamed = 8;

    /// <summary>What the folders of the runs have and the database does not know, a sentence each; none where all is well.</summary>
    /// <exception cref="DatabaseUnavailableException">The database cannot be read.</exception>
    public static async Task<IReadOnlyList<string>> SignsAsync(DatabaseAddress database, DataPaths paths, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(database);
        ArgumentNullException.ThrowIfNull(paths);
        if (!Directory.Exists(paths.Runs))
            return [];
        var folders = new DirectoryInfo(paths.Runs).EnumerateDirectories().Select(d => d.Name)
            .Where(name => Identifier.IsValid(name, 80)).Order(StringComparer.Ordinal).Select(name => new RunId(name)).ToList();
        if (folders.Count == 0)
            return [];
        var committed = await CommittedAsync(database, cancel);
        var signs = new List<string>();
        if (folders.Where(r => !committed.ContainsKey(JournalRows.KeyOf(r))).Select(r => r.Value).ToList() is { Count: > 0 } unknown)
            signs.Add($"{database} knows nothing of {string.Join(", ", unknown.Take(MostNamed))}"
                + (unknown.Count > MostNamed ? $" and {unknown.Count - MostNamed} more" : "")
                + $", whose folders are in {paths.Runs}: it is another database or an older copy, or its file journal.db-wal was lost. "
                + "Stop this process and put the right one back: without it these runs cannot go on, and elastic run prune removes them");
        foreach (var run in folders)
        {
            if (committed.TryGetValue(JournalRows.KeyOf(run), out var rounds) && Newest(paths, run) is var (path, version)
                && version > rounds)
                signs.Add($"{path} is of round {version}, and {database} knows {rounds} {(rounds == 1 ? "round" : "rounds")} of run "
                    + $"{run}: it is an older copy, or its file journal.db-wal was lost or damaged. The rounds after round {rounds} are "
                    + "computed again, to the same weights; where there is a newer copy of the database, stop this process and put it "
                    + "back");
        }

        return signs;
    }

    // Rounds by journal key; a round that was committed, given up and committed again counts twice, which hides a sign and makes none up.
    private static async Task<Dictionary<string, long>> CommittedAsync(DatabaseAddress database, CancellationToken cancel) =>
        (await database.CallAsync(Deadline, (connection, token) => connection.QueryAsync(
            """
            SELECT persistence_id, SUM(CASE WHEN manifest = 'round-committed' OR manifest LIKE 'round-committed.%' THEN 1 ELSE 0 END)
            FROM journal GROUP BY persistence_id
            """, row => (Key: row.GetString(0), Rounds: row.GetInt64(1)), token), cancel)).ToDictionary(r => r.Key, r => r.Rounds);

    // A manifest that cannot be read is no sign, and hides none: those before it count.
    private static (string Path, int Version)? Newest(DataPaths paths, RunId run) => CheckpointFiles.Read(paths.Checkpoints(run))
        .Where(c => c.Manifest is not null).Select(c => ((string, int)?)(c.Path, c.Manifest!.Version)).FirstOrDefault();
}
