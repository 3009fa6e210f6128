using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;

namespace Elastic.Storage;

/// <summary>Audits a run from its journal, which seeds may go on writing meanwhile.</summary>
public static class JournalAudit
{
    /// <param name="database">Where the journal is; null for the data directory.</param>
    /// <exception cref="NotFoundException">The journal has no such run.</exception>
    /// <exception cref="ElasticException">The run's journal or its corpus cannot be read.</exception>
    /// <exception cref="DatabaseUnavailableException">The journal cannot be read now, and may be later.</exception>
    public static Task<AuditReport> RunAsync(string dataDir, DatabaseAddress? database, RunName name, CancellationToken cancel) =>
        OfRunAsync(dataDir, database, name, (paths, address, run) => RunAsync(paths, address, run, cancel), cancel);

    /// <summary>The corpus of a run, and the digest by which nodes serve its manifest; null where no node has ever published it.</summary>
    /// <inheritdoc cref="RunAsync(string, DatabaseAddress?, RunName, CancellationToken)"/>
    public static Task<(Digest Corpus, Digest? Manifest)> CorpusOfAsync(
        string dataDir, DatabaseAddress? database, RunName name, CancellationToken cancel) =>
        OfRunAsync(dataDir, database, name, async (_, address, run) =>
        {
            var events = await JournalReader.ReadAsync(address, run, cancel);
            return events is [RunEvent.RunStarted started, ..]
                ? (started.Corpus, events.Aggregate(RunState.Empty(run), Run.Apply).Manifest)
                : throw new ElasticException($"the journal of run {run} does not begin with its start: restore journal.db from a copy");
        }, cancel);

    private static async Task<T> OfRunAsync<T>(
        string dataDir, DatabaseAddress? database, RunName name, Func<DataPaths, DatabaseAddress, RunId, Task<T>> read,
        CancellationToken cancel)
    {
        var paths = new DataPaths(Path.GetFullPath(dataDir));
        if (database is null && !File.Exists(paths.Journal))
            throw new ElasticException(
                $"there is no journal {paths.Journal}: " +
                "name the data directory of the run with --data-dir, or its database with --database");
        var address = (database ?? DatabaseAddress.Parse(null, paths.Root)).ReadOnly();
        try
        {
            return await read(
                paths, address,
                (await new RunList(address).ReadAsync(cancel)).LastOrDefault(r => r.Name == name.Value)?.Run
                    ?? throw new NotFoundException($"the journal knows nothing of run {name}: name another one, or, " +
                                                   $"where its folder in {paths.Runs} is there, restore journal.db from a copy"));
        }
        catch (DatabaseUnavailableException e) when (!e.IsTransient)
        {
            throw new ElasticException(
                $"the journal {address} cannot be read ({e.Message}): " +
                "name the data directory of the run with --data-dir, or its database with --database", e);
        }
    }

    private static async Task<AuditReport> RunAsync(DataPaths paths, DatabaseAddress address, RunId run, CancellationToken cancel)
    {
        // Read before the events, so that no checkpoint is of a round that the events do not have yet.
        var checkpoints = CheckpointFiles.Read(paths.Checkpoints(run)).ToList();
        var events = await JournalReader.ReadAsync(address, run, cancel);
        return await Task.Run(() => ChainAudit.Check(paths, run, events, checkpoints, cancel), cancel);
    }
}
