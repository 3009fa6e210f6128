using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Microsoft.Data.Sqlite;

namespace Elastic.Storage;

/// <summary>
/// Copies what a seed cannot do without, while it works: the journal, the newest checkpoint of each run that the copied journal knows, and
/// the runs' corpora. The copy is a data directory. What is there from an earlier backup is not copied again.
/// </summary>
public sealed class DataBackup(DataPaths from, DatabaseAddress? database, DataPaths to, Action<string> say)
{
    // A checkpoint that the journal knows may be dropped for a newer one while it is copied. They are seldom closer than a minute.
    private const int Attempts = 5;

    /// <returns>What the backup holds.</returns>
    /// <exception cref="ElasticException">The journal cannot be read, or the disk is full.</exception>
    public async Task<BackupManifest> RunAsync(CancellationToken cancel)
    {
        Directory.CreateDirectory(to.Root);
        DurableFile.RemoveTemporaries(to.Root);                         // of a backup that did not come to its end
        for (var attempt = 1; ; attempt++)
        {
            var (journal, copy) = await CopyJournalAsync(cancel);
            List<BackedUpRun> runs = [];
            List<RunId> gone = [];
            foreach (var run in await StoredRuns.ReadAsync(journal, cancel))
            {
                if (run.State is not { } state)
                {
                    say($"run {run.Id} cannot be read ({run.Problem}): its events are copied, and nothing else");
                    continue;
                }

                cancel.ThrowIfCancellationRequested();
                var copied = CopyCheckpoint(run.Id, [.. state.Checkpoints.Select(c => c.Version)]);
                if (copied is null && !state.Checkpoints.IsEmpty)
                    gone.Add(run.Id);
                runs.Add(new BackedUpRun(run.Id.Value, state.Round, copied, state.Corpus is { } id && CopyCorpus(id) ? id.Hex : null));
            }

            if (gone.Count > 0 && attempt < Attempts)
            {
                if (copy is not null)
                    File.Delete(copy);
                continue;
            }

            foreach (var run in gone)
                say($"run {run}: no checkpoint that its journal knows is whole in {from.Root}; only nodes that have one can go on with it");
            foreach (var run in runs.Where(r => r.Corpus is null && r.Round > 0))
                say($"run {run.Run}: its corpus is not in {from.Root}; it has to come from another node, or be built again");
            var manifest = new BackupManifest(1, database?.Kind == DatabaseKind.Sqlite, runs);
            Replace(copy, manifest);
            return manifest;
        }
    }

    // An earlier backup stays whole until everything of this one is there; what only that one had goes last.
    private void Replace(string? journal, BackupManifest manifest)
    {
        if (journal is not null)
        {
            DurableFile.Flush(journal);
            File.Move(journal, to.Journal, overwrite: true);
        }

        manifest.Write(to.Root);
        DurableFile.FlushFolder(to.Root);
        foreach (var kept in manifest.Runs)
        {
            if (kept.Checkpoint is { } version)
                CheckpointFiles.Retain(
                    to.Checkpoints(new RunId(kept.Run)), new BlobStore(to.Blobs(new RunId(kept.Run))), [version], [], int.MaxValue);
        }
    }

    // SQLite copies a database that is being written, in one consistent state. A copy of the file and of what stands beside it is none.
    private async Task<(DatabaseAddress Journal, string? Copy)> CopyJournalAsync(CancellationToken cancel)
    {
        if (database is not { Kind: DatabaseKind.Sqlite })
            return database is null
                ? throw new ElasticException($"there is no journal in {from.Root}: name a seed's data directory with --data-dir")
                : (database, null);
        var path = DurableFile.TemporaryPath(to.Journal);
        try
        {
            await Task.Run(() =>
            {
                using var source = new SqliteConnection(database.Fresh().ReadOnly().ConnectionString);
                using var copy = new SqliteConnection($"Data Source={path};Pooling=False");
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
            throw new ElasticException($"the journal {database} cannot be copied to {to.Journal}: {e.Message}", e);
        }

        // Not by connections of the pool, which would keep the file open.
        return (DatabaseAddress.Parse($"sqlite:{path}", to.Root).Fresh(), path);
    }

    private int? CopyCheckpoint(RunId run, IReadOnlyList<int> versions)
    {
        var (folder, copies) = (from.Checkpoints(run), to.Checkpoints(run));
        foreach (var (path, manifest) in CheckpointFiles.Read(folder).Where(c => versions.Contains(c.Manifest.Version)))
        {
            try
            {
                var (store, copy) = (new BlobStore(from.Blobs(run), readOnly: true), new BlobStore(to.Blobs(run)));
                foreach (var set in manifest.InnerStates.Append(manifest.Parameters).Select(hex => new Digest(hex)).Distinct())
                {
                    foreach (var blob in store.BlobsOf(set).Append(set).Distinct())
                        CopyFile(store.PathOf(blob), copy.PathOf(blob));
                }

                CopyFile(path, Path.Combine(copies, Path.GetFileName(path)));
                if (File.Exists(Path.Combine(from.Run(run), TokenizerFile.FileName)))
                    CopyFile(Path.Combine(from.Run(run), TokenizerFile.FileName), Path.Combine(to.Run(run), TokenizerFile.FileName));
                return manifest.Version;
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or InvalidDataException)
            {
                continue;                                              // dropped meanwhile, or damaged: an older one, or the next attempt
            }
        }

        return null;
    }

    private bool CopyCorpus(Digest id)
    {
        if (!BuiltCorpus.TryOpen(from.Corpus(id), id, out var corpus) && !BuiltCorpus.TryOpen(from.FetchedCorpus(id), id, out corpus))
            return false;
        if (!corpus.Files.All(f => File.Exists(f.Path)))
            return false;                                              // fetched, and not all of it
        foreach (var file in Directory.EnumerateFiles(corpus.Folder))
            CopyFile(file, Path.Combine(to.Corpus(id), Path.GetFileName(file)));
        return true;
    }

    // What has its name from its content, or is written once, is the same where it has the same length.
    internal static void CopyFile(string source, string target)
    {
        if (File.Exists(target) && new FileInfo(target).Length == new FileInfo(source).Length)
            return;
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        var temporary = DurableFile.TemporaryPath(target);
        try
        {
            File.Copy(source, temporary);
            DurableFile.Flush(temporary);
            File.Move(temporary, target, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
