using System.Data.Common;
using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Storage;

/// <summary>Audits a run from its journal, which seeds may go on writing meanwhile.</summary>
public static class JournalAudit
{
    /// <param name="database">Where the journal is; null for the data directory.</param>
    /// <exception cref="ElasticException">There is no such run, or its journal or its corpus cannot be read.</exception>
    public static async Task<AuditReport> RunAsync(string dataDir, string? database, RunName name, CancellationToken cancel)
    {
        var paths = new DataPaths(Path.GetFullPath(dataDir));
        if (database is null && !File.Exists(paths.Journal))
            throw new ElasticException(
                $"there is no journal {paths.Journal}: " +
                "name the data directory of the run with --data-dir, or its database with --database");
        var address = DatabaseAddress.Parse(database, paths.Root).ReadOnly();
        try
        {
            return await RunAsync(
                paths, address,
                (await new RunList(address).ReadAsync(cancel)).LastOrDefault(r => r.Name == name.Value)?.Run
                    ?? throw new ElasticException($"the journal knows nothing of run {name}: name another one, or, " +
                                                  $"where its folder in {paths.Runs} is there, restore journal.db from a copy"),
                cancel);
        }
        catch (Exception e) when (e is DbException or TimeoutException)
        {
            throw new ElasticException(
                $"the journal {address} cannot be read ({e.Message}): " +
                "name the data directory of the run with --data-dir, or its database with --database", e);
        }
    }

    private static async Task<AuditReport> RunAsync(DataPaths paths, DatabaseAddress address, RunId run, CancellationToken cancel)
    {
        // Read before the events, so that no checkpoint is of a round that the events do not have yet.
        var checkpoints = CheckpointFiles.Read(paths.Checkpoints(run));
        var events = await JournalReader.ReadAsync(address, run, cancel);
        return await Task.Run(() => ChainAudit.Check(paths, run, events, checkpoints, cancel), cancel);
    }
}
