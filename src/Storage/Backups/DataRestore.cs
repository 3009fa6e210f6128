using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Storage;

/// <summary>Makes a data directory of a backup, after everything in the backup was read and compared with its digests.</summary>
/// <param name="moves">The backup is a copy that nobody needs any more: its files are moved, and its folder goes.</param>
public sealed class DataRestore(DataPaths backup, DataPaths to, bool moves = false)
{
    /// <returns>What was restored.</returns>
    /// <exception cref="ElasticException">It is no backup, it is damaged, or something is in its place.</exception>
    public async Task<BackupManifest> RunAsync(CancellationToken cancel)
    {
        var manifest = BackupManifest.Read(backup.Root);
        CheckEmpty(to);
        if (await ProblemsAsync(manifest, cancel) is { Count: > 0 } problems)
        {
            if (moves)
                Directory.Delete(backup.Root, recursive: true);        // what is damaged here may be whole where it is from
            throw new ElasticException(
                $"the backup {backup.Root} is damaged, and nothing was restored: {string.Join("; ", problems.Take(10))}"
                + (problems.Count > 10 ? $"; and {problems.Count - 10} more" : ""));
        }

        foreach (var file in Directory.EnumerateFiles(backup.Root, "*", SearchOption.AllDirectories)
            .Where(f => Path.GetFileName(f) != BackupManifest.FileName).Order(StringComparer.Ordinal))
        {
            cancel.ThrowIfCancellationRequested();
            // The journal last: a folder that has it is restored.
            if (file != backup.Journal)
                Copy(file);
        }

        if (manifest.Journal)
            Copy(backup.Journal);
        if (moves)
            Directory.Delete(backup.Root, recursive: true);
        return manifest;

        void Copy(string file)
        {
            var target = Path.Combine(to.Root, Path.GetRelativePath(backup.Root, file));
            if (!moves)
            {
                BackupFolder.Copy(file, target);
                return;
            }

            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Move(file, target, overwrite: true);
        }
    }

    /// <exception cref="ElasticException">There is something that a restored journal would not fit to.</exception>
    public static void CheckEmpty(DataPaths to)
    {
        ArgumentNullException.ThrowIfNull(to);
        if (File.Exists(to.Journal) || Directory.Exists(to.Runs) && Directory.EnumerateFileSystemEntries(to.Runs).Any())
            throw new ElasticException($"{to.Root} has a journal or runs already: name an empty folder with --data-dir");
    }

    private async Task<List<string>> ProblemsAsync(BackupManifest manifest, CancellationToken cancel)
    {
        List<string> problems = [];
        if (manifest.Journal)
        {
            try
            {
                if (!File.Exists(backup.Journal))
                    problems.Add($"{backup.Journal} is missing");
                else if (await DamagedDatabase.ProblemAsync(DatabaseAddress.Parse(null, backup.Root), cancel) is { } problem)
                    problems.Add(problem);
            }
            catch (DatabaseUnavailableException e)
            {
                problems.Add($"{backup.Journal} cannot be read ({e.Message})");
            }
        }

        foreach (var kept in manifest.Runs)
        {
            cancel.ThrowIfCancellationRequested();
            var run = new RunId(kept.Run);
            if (kept.Checkpoint is { } version && !IsWhole(run, version))
                problems.Add($"the checkpoint of run {run} after round {version} is not whole");
            if (kept.Corpus is { } corpus)
                problems.AddRange(BuiltCorpus.TryOpen(backup.Corpus(new Digest(corpus)), new Digest(corpus), out var built)
                    ? built.Problems() : [$"the corpus {corpus[..12]} is missing"]);
        }

        return problems;
    }

    private bool IsWhole(RunId run, int version)
    {
        try
        {
            var blobs = new BlobStore(backup.Blobs(run), readOnly: true);
            var found = CheckpointFiles.Read(backup.Checkpoints(run)).FirstOrDefault(c => c.Manifest?.Version == version).Manifest;
            return found is not null
                && found.InnerStates.Append(found.Parameters).All(set => blobs.IsWhole(new Digest(set)));
        }
        catch (Exception e) when (e is ElasticException or IOException or InvalidDataException)
        {
            return false;
        }
    }
}
