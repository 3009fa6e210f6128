using System.Text.Json;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Storage;

/// <summary>
/// Makes a data directory of a backup, after everything in the backup was read and compared with its digests. A corpus that is damaged is
/// left out: it can be built again. An attempt that was interrupted leaves a mark, with which the next one goes on.
/// </summary>
/// <param name="moves">The backup is a copy that nobody needs any more: its files are moved, and its folder goes.</param>
public sealed class DataRestore(DataPaths backup, DataPaths to, Action<string> say, bool moves = false)
{
    private const string Mark = "restoring.json";

    /// <returns>What was restored.</returns>
    /// <exception cref="ElasticException">It is no backup, it is damaged, or something is in its place.</exception>
    public async Task<BackupManifest> RunAsync(CancellationToken cancel)
    {
        var manifest = BackupManifest.Read(backup.Root);
        CheckEmpty(to, manifest);
        if (await ProblemsAsync(manifest, cancel) is { Count: > 0 } problems)
        {
            if (moves)
                Directory.Delete(backup.Root, recursive: true);        // what is damaged here may be whole where it is from
            throw new ElasticException(
                $"the backup {backup.Root} is damaged, and nothing was restored: {string.Join("; ", problems.Take(10))}"
                + (problems.Count > 10 ? $"; and {problems.Count - 10} more" : ""));
        }

        var whole = WithWholeCorpora(manifest, cancel);
        var corpora = whole.Runs.Select(r => r.Corpus).OfType<string>().Select(id => backup.Corpus(new Digest(id))).ToHashSet();
        Directory.CreateDirectory(to.Root);
        var mark = Path.Combine(to.Root, Mark);
        if (File.Exists(mark))
            DurableFile.RemoveTemporaries(to.Root);
        DurableFile.WriteDurably(mark, MarkOf(manifest));
        var (copied, journal) = (new List<string>(), backup.BesideJournal.Append(backup.Journal).ToList());
        foreach (var file in Directory.EnumerateFiles(backup.Root, "*", SearchOption.AllDirectories)
            .Where(f => Path.GetFileName(f) != BackupManifest.FileName).Order(StringComparer.Ordinal))
        {
            cancel.ThrowIfCancellationRequested();
            // The journal last, with what SQLite has left beside it: a folder that has it is restored.
            if (!journal.Contains(file) && (!IsOfACorpus(file) || corpora.Contains(Path.GetDirectoryName(file)!)))
                Copy(file);
        }

        DurableFile.FlushFolders(to.Root, copied);
        if (manifest.Journal)
            journal.Where(File.Exists).ToList().ForEach(Copy);
        DurableFile.FlushFolder(to.Root);
        File.Delete(mark);
        if (moves)
            Directory.Delete(backup.Root, recursive: true);
        return whole;

        bool IsOfACorpus(string file) => file.StartsWith(backup.Corpora + Path.DirectorySeparatorChar, StringComparison.Ordinal);

        void Copy(string file)
        {
            var target = Path.Combine(to.Root, Path.GetRelativePath(backup.Root, file));
            copied.Add(target);
            if (!moves)
            {
                BackupFolder.Copy(file, target);
                return;
            }

            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Move(file, target, overwrite: true);
        }
    }

    /// <param name="manifest">What is to be restored.</param>
    /// <exception cref="ElasticException">
    /// There is something that a restored journal would not fit to, and an interrupted restore of this backup has not left it.
    /// </exception>
    public static void CheckEmpty(DataPaths to, BackupManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(to);
        ArgumentNullException.ThrowIfNull(manifest);
        // SQLite would take what lies beside the place of the journal for a part of the one that comes there.
        var journal = to.BesideJournal.Prepend(to.Journal).Where(File.Exists).Select(Path.GetFileName).ToList();
        if (journal.Count == 0 && !(Directory.Exists(to.Runs) && Directory.EnumerateFileSystemEntries(to.Runs).Any()))
            return;
        var mark = Path.Combine(to.Root, Mark);
        if (journal.Count > 0 || !File.Exists(mark))
            throw new ElasticException($"{to.Root} has a journal or runs already ("
                + $"{(journal.Count > 0 ? string.Join(", ", journal) : to.Runs)}): name an empty folder with --data-dir");
        if (!RegularFile.Read(mark, 1024).AsSpan().SequenceEqual(MarkOf(manifest)))
            throw new ElasticException($"{to.Root} has a part of another backup, whose restore was interrupted: delete {to.Runs} and "
                + $"{mark}, or name an empty folder with --data-dir");
    }

    private static byte[] MarkOf(BackupManifest manifest) =>
        JsonSerializer.SerializeToUtf8Bytes(new { backup = Digest.Of(manifest.ToBytes()).Hex });

    // A run is worth more than its corpus, which other nodes may have, and which is the same when it is built again.
    private BackupManifest WithWholeCorpora(BackupManifest manifest, CancellationToken cancel)
    {
        var damaged = new HashSet<string>(StringComparer.Ordinal);
        foreach (var corpus in manifest.Runs.Select(r => r.Corpus).OfType<string>().Distinct())
        {
            cancel.ThrowIfCancellationRequested();
            if (ProblemOf(new Digest(corpus)) is not { } problem)
                continue;
            damaged.Add(corpus);
            say($"the corpus {corpus[..12]} is left out ({problem}): it has to come from another node, or be built again");
        }

        return manifest with
        {
            Runs = [.. manifest.Runs.Select(r => r.Corpus is { } corpus && damaged.Contains(corpus) ? r with { Corpus = null } : r)],
        };
    }

    private string? ProblemOf(Digest corpus)
    {
        try
        {
            return BuiltCorpus.TryOpen(backup.Corpus(corpus), corpus, out var built) ? built.Problems().FirstOrDefault() : "it is missing";
        }
        catch (Exception e) when (e is ElasticException or IOException)
        {
            return e.Message;
        }
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
