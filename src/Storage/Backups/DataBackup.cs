using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Microsoft.Data.Sqlite;

namespace Elastic.Storage;

/// <summary>
/// Copies what a seed cannot do without, while it works: the journal, the newest checkpoint of each run that the copied journal knows, and
/// the runs' corpora. The copy is a data directory. What is there from an earlier backup is not copied again.
/// </summary>
public sealed class DataBackup(DataPaths from, DatabaseAddress? database, BackupPlace to, Action<string> say)
{
    // SQLITE_FULL.
    private const int DiskFull = 13;

    // A checkpoint that the journal knows may be dropped for a newer one while it is copied. They are seldom closer than a minute.
    private const int Attempts = 5;

    /// <returns>What the backup holds.</returns>
    /// <exception cref="ElasticException">The journal cannot be read, or the disk is full.</exception>
    public async Task<BackupManifest> RunAsync(CancellationToken cancel)
    {
        try
        {
            return await CopyAsync(cancel);
        }
        catch
        {
            to.Abandon();
            throw;
        }
    }

    private async Task<BackupManifest> CopyAsync(CancellationToken cancel)
    {
        for (var attempt = 1; ; attempt++)
        {
            await to.BeginAsync(cancel);
            var (journal, copy) = await CopyJournalAsync(cancel);
            try
            {
                var (runs, gone) = await CopyRunsAsync(journal, cancel);
                if (gone.Count > 0 && attempt < Attempts)
                    continue;
                foreach (var run in gone)
                    say($"run {run}: no checkpoint that its journal knows is whole in {from.Root}; only nodes that have one can go on "
                        + "with it");
                foreach (var run in runs.Where(r => r.Corpus is null && r.Round > 0))
                    say($"run {run.Run}: its corpus is not whole in {from.Root}; it has to come from another node, or be built again");
                var manifest = new BackupManifest(1, database?.Kind == DatabaseKind.Sqlite, runs) { Node = Node() };
                await to.CompleteAsync(copy, manifest, cancel);
                return manifest;
            }
            finally
            {
                if (copy is not null)
                    File.Delete(copy);
            }
        }
    }

    private async Task<(List<BackedUpRun> Runs, List<RunId> Gone)> CopyRunsAsync(DatabaseAddress journal, CancellationToken cancel)
    {
        List<BackedUpRun> runs = [];
        List<RunId> gone = [];
        var stored = await StoredRuns.ReadAsync(journal, cancel);
        // A machine that lost its data directory, and begins anew with the settings of old, must not write over what it should restore.
        var earlier = await to.EarlierAsync(cancel);
        if (earlier is { Runs: [var other, ..] } && (earlier.Node is null || earlier.Node != Node())
            && !earlier.Runs.Any(r => stored.Any(s => s.Id.Value == r.Run)))
            throw new ElasticException($"{to} holds the backup of another data directory (run {OneLine.Of(other.Run, 80)}): "
                + "restore it with elastic restore --from into an empty folder, or name another place for this one");
        foreach (var run in stored)
        {
            if (run.State is not { } state)
            {
                say($"run {run.Id} cannot be read ({run.Problem}): its events are copied, and nothing else");
                continue;
            }

            cancel.ThrowIfCancellationRequested();
            var copied = await CopyCheckpointAsync(run.Id, state.Checkpoints, cancel);
            CheckIsNoStepBack(run.Id, copied, earlier, state.Checkpoints);
            if (copied is null && !state.Checkpoints.IsEmpty)
                gone.Add(run.Id);
            var corpus = state.Corpus is { } id && (await CopyCorpusAsync(id, cancel) || IsKept(id, earlier)) ? id.Hex : null;
            runs.Add(new BackedUpRun(run.Id.Value, state.Round, copied, corpus));
        }

        return (runs, gone);
    }

    // A backup keeps one checkpoint of a run: with an older one than it has already it would lose the newer one, which may be the last.
    private void CheckIsNoStepBack(RunId run, int? copied, BackupManifest? earlier, IReadOnlyCollection<Checkpoint> known)
    {
        if (copied is { } older && earlier?.Runs.FirstOrDefault(r => r.Run == run.Value)?.Checkpoint is { } newer && newer > older
            && known.Any(c => c.Version == newer))
            throw new ElasticException($"{to} holds the checkpoint of run {run} after round {newer}, which is damaged or missing in "
                + $"{from.Root}, where the newest whole one is of round {older}: nothing there was replaced. Back up again when the run "
                + "has its next checkpoint, or name another place; elastic restore gets the newer one back into an empty folder");
    }

    private string? Node() => File.Exists(from.NodeId) ? RegularFile.ReadText(from.NodeId, 1024).Trim() : null;

    // SQLite copies a database that is being written, in one consistent state. A copy of the file and of what stands beside it is none.
    private async Task<(DatabaseAddress Journal, string? Copy)> CopyJournalAsync(CancellationToken cancel)
    {
        if (database is not { Kind: DatabaseKind.Sqlite })
            return database is null
                ? throw new ElasticException($"there is no journal in {from.Root}: name a seed's data directory with --data-dir")
                : (database, null);
        var path = to.JournalCopy();
        try
        {
            await Task.Run(() =>
            {
                using var source = new SqliteConnection(database.Fresh().ReadOnly().ConnectionString);
                using var copy = new SqliteConnection(
                    new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ConnectionString);
                source.Open();
                copy.Open();
                source.BackupDatabase(copy);
                // One file, with nothing beside it.
                using var alone = copy.CreateCommand();
                alone.CommandText = "PRAGMA journal_mode = DELETE";
                alone.ExecuteNonQuery();
            }, cancel);
        }
        catch (SqliteException e)
        {
            File.Delete(path);
            var folder = Path.GetDirectoryName(path);
            throw new ElasticException(e.SqliteErrorCode == DiskFull
                ? $"the journal {database} cannot be copied to {folder}: the disk is full; free space there, or name another place for the "
                    + "backup (what goes to a store is copied to TMPDIR first)"
                : $"the journal {database} cannot be copied to {folder}: {e.Message}", e);
        }

        // Not by connections of the pool, which would keep the file open.
        return (DatabaseAddress.Parse($"sqlite:{path}", from.Root).Fresh(), path);
    }

    // A run that went back may have a manifest of a round that came out differently: only the journal's own counts.
    private async Task<int?> CopyCheckpointAsync(RunId run, IReadOnlyCollection<Checkpoint> known, CancellationToken cancel)
    {
        foreach (var (path, manifest, problem) in CheckpointFiles.Read(from.Checkpoints(run)))
        {
            if (manifest is null)
            {
                say($"passed over: {problem}");
                continue;
            }
            if (!known.Any(c => c.Version == manifest.Version && c.Parameters.Hex == manifest.Parameters))
                continue;
            try
            {
                var store = new BlobStore(from.Blobs(run), readOnly: true);
                foreach (var set in manifest.InnerStates.Append(manifest.Parameters).Select(hex => new Digest(hex)).Distinct())
                {
                    foreach (var blob in BlobsOf(store, set).Append(set).Distinct())
                        await CopyAsync(store, blob, cancel);
                }

                await CopyAsync(path, cancel);
                foreach (var file in CheckpointContent.FilesOfTokenizer.Select(name => Path.Combine(from.Run(run), name)))
                    if (File.Exists(file))
                        await CopyAsync(file, cancel);
                return manifest.Version;
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or InvalidDataException or BlobLostException)
            {
                continue;                                              // dropped meanwhile, or damaged: an older one, or the next attempt
            }
        }

        return null;
    }

    private async Task<bool> CopyCorpusAsync(Digest id, CancellationToken cancel)
    {
        if (WholeCorpus(id, cancel) is not { } corpus)
            return false;
        try
        {
            foreach (var file in Directory.EnumerateFiles(corpus.Folder))
                await to.CopyAsync(file, NameOf(id, file), cancel);
            return true;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;                                              // deleted meanwhile
        }
    }

    // What is no longer whole here was when an earlier backup copied it. Restoring compares it once more.
    private bool IsKept(Digest corpus, BackupManifest? earlier)
    {
        if (earlier?.Runs.Any(r => r.Corpus == corpus.Hex) != true || !to.Holds(NameOf(corpus, CorpusManifest.FileName)))
            return false;
        say($"the corpus {corpus.Hex[..12]} is not whole in {from.Root}: {to} keeps the copy of an earlier backup");
        return true;
    }

    // What rotted on this disk is no part of a backup. What is there from an earlier one was compared when it was copied.
    private BuiltCorpus? WholeCorpus(Digest id, CancellationToken cancel)
    {
        try
        {
            if (!BuiltCorpus.TryOpen(from.Corpus(id), id, out var corpus)
                && !BuiltCorpus.TryOpen(from.FetchedCorpus(id), id, out corpus))
                return null;
            if (!corpus.Files.All(f => File.Exists(f.Path)))
                return null;                                           // fetched, and not all of it
            foreach (var file in corpus.Files.Where(f => !to.Has(f.Path, NameOf(id, f.Path))))
            {
                cancel.ThrowIfCancellationRequested();
                if (file.Problem() is not { } problem)
                    continue;
                say($"passed over: {problem}");
                return null;
            }

            return corpus;
        }
        catch (Exception e) when (e is ElasticException or IOException or UnauthorizedAccessException)
        {
            say($"passed over: the corpus {id.Hex[..12]}: {e.Message}");      // its manifest is damaged, or the disk cannot read it
            return null;
        }
    }

    // A set that the disk cannot read is lost, like a blob.
    private static IEnumerable<Digest> BlobsOf(BlobStore store, Digest set)
    {
        try
        {
            return store.BlobsOf(set);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BlobLostException(set, e.Message);
        }
    }

    private static string NameOf(Digest corpus, string file) => $"corpora/{corpus.Hex}/{Path.GetFileName(file)}";

    // What rotted on this disk must not take the place of a copy that is whole: it ends this checkpoint, and an older one is copied.
    private Task CopyAsync(BlobStore store, Digest blob, CancellationToken cancel)
    {
        var path = store.PathOf(blob);
        return to.Has(path, NameOf(path)) || store.IsIntact(blob) ? CopyAsync(path, cancel)
            : throw new BlobLostException(blob, $"its bytes have changed ({path})");
    }

    private Task CopyAsync(string path, CancellationToken cancel) => to.CopyAsync(path, NameOf(path), cancel);

    private string NameOf(string path) => Path.GetRelativePath(from.Root, path).Replace(Path.DirectorySeparatorChar, '/');
}
