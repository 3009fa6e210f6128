using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Storage;

namespace Elastic.Actors.Audit;

/// <summary>The audit of a run whose journal no other process has open.</summary>
public static class JournalAudit
{
    /// <param name="database">Where the journal is; null for the data directory.</param>
    /// <exception cref="ElasticException">There is no such run, or its journal or its corpus cannot be read.</exception>
    public static async Task<LedgerReport> RunAsync(string dataDir, string? database, RunId run, CancellationToken cancel)
    {
        var paths = new DataPaths(Path.GetFullPath(dataDir));
        if (database is null && !File.Exists(paths.Journal))
            throw new ElasticException($"there is no journal {paths.Journal}: name the data directory of the run with --data-dir, or its database with --database");
        var events = await Journal.ReadAsync(paths, DatabaseAddress.Parse(database, paths.Root), run, cancel);
        return await Task.Run(() => LedgerAudit.Check(paths, run, events, cancel), cancel);
    }
}
