using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Storage;

/// <summary>A backup in a folder, which is a data directory.</summary>
public sealed class BackupFolder(DataPaths to) : BackupPlace
{
    // Where the files are that the backup has, whoever has copied them.
    private readonly HashSet<string> _copied = new(StringComparer.Ordinal);
    private bool _isMade;

    // What a backup of an earlier version has that did not come to its end, and what a disk has by itself.
    private static readonly string[] BeforeEnd = ["runs", "corpora", "lost+found", "System Volume Information", "$RECYCLE.BIN"];

    // There from the beginning to the end of a backup.
    private string Mark => Path.Combine(to.Root, ".backup-begun");

    /// <inheritdoc/>
    public override string ToString() => to.Root;

    /// <inheritdoc/>
    /// <exception cref="ElasticException">Something else is there, whose files a backup would replace.</exception>
    public override Task BeginAsync(CancellationToken cancel)
    {
        CheckIsNothingElse();
        _isMade |= !Directory.Exists(to.Root);
        Directory.CreateDirectory(to.Root);
        File.WriteAllBytes(Mark, []);
        DurableFile.RemoveTemporaries(to.Root);                         // of a backup that did not come to its end
        foreach (var beside in Directory.EnumerateFiles(to.Root, $"{Path.GetFileName(to.Journal)}.*.tmp-*"))
            File.Delete(beside);                                        // what SQLite had beside its copy
        return Task.CompletedTask;
    }

    // Most of all no data directory: its journal would be gone.
    private void CheckIsNothingElse()
    {
        if (File.Exists(to.NodeId))
            throw new ElasticException($"{to.Root} is the data directory of a node, and a backup would replace its journal: name another "
                + "folder");
        if (!Directory.Exists(to.Root) || File.Exists(Path.Combine(to.Root, BackupManifest.FileName)) || File.Exists(Mark))
            return;
        var others = Directory.EnumerateFileSystemEntries(to.Root).Where(e => !DurableFile.IsTemporaryOf(to.Journal, e))
            .Select(e => Path.GetFileName(e));
        if (others.FirstOrDefault(name => !BeforeEnd.Contains(name) && name[0] != '.') is { } other)
            throw new ElasticException($"{to.Root} is no backup, and not empty ({other} is there): name another folder, or a new one");
    }

    /// <inheritdoc/>
    public override void Abandon()
    {
        try
        {
            if (_isMade && Directory.Exists(to.Root) && Directory.EnumerateFileSystemEntries(to.Root).All(e => e == Mark))
                Directory.Delete(to.Root, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What ended the backup is the one to tell.
        }
    }

    /// <inheritdoc/>
    public override Task<BackupManifest?> EarlierAsync(CancellationToken cancel) => Task.FromResult(
        File.Exists(Path.Combine(to.Root, BackupManifest.FileName)) ? BackupManifest.Read(to.Root) : null);

    /// <inheritdoc/>
    public override string JournalCopy() => DurableFile.TemporaryPath(to.Journal);

    /// <inheritdoc/>
    public override bool Has(string path, string name) => IsThere(path, Path.Combine(to.Root, name));

    /// <inheritdoc/>
    public override bool Holds(string name) => File.Exists(Path.Combine(to.Root, name));

    /// <inheritdoc/>
    public override Task CopyAsync(string path, string name, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var target = Path.Combine(to.Root, name);
        Copy(path, target);
        _copied.Add(target);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override Task CompleteAsync(string? journal, BackupManifest manifest, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        // What is to stay is read before anything of the earlier backup goes.
        var kept = manifest.Runs.Where(r => r.Checkpoint is not null).Select(r => KeptOf(new RunId(r.Run), r.Checkpoint!.Value)).ToList();
        DurableFile.FlushFolders(to.Root, _copied);
        if (journal is not null)
        {
            DurableFile.Flush(journal);
            // SQLite would take what another process has left beside the journal before for a part of the new one.
            foreach (var beside in to.BesideJournal)
                File.Delete(beside);
            File.Move(journal, to.Journal, overwrite: true);
        }

        DurableFile.WriteDurably(Path.Combine(to.Root, BackupManifest.FileName), manifest.ToBytes());
        File.Delete(Mark);
        foreach (var (run, version, store, blobs) in kept)
            CheckpointFiles.RetainOnly(to.Checkpoints(run), store, version, blobs);
        return Task.CompletedTask;
    }

    private (RunId Run, int Version, BlobStore Store, HashSet<Digest> Blobs) KeptOf(RunId run, int version)
    {
        var store = new BlobStore(to.Blobs(run));
        try
        {
            return (run, version, store, CheckpointFiles.BlobsOf(to.Checkpoints(run), store, version));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new ElasticException($"the checkpoint of run {run} after round {version} was copied to {to.Root} and cannot be read "
                + $"there ({e.Message}): the earlier backup stands. Back up again; where the same blob is named again, delete its file "
                + "first", e);
        }
    }

    /// <summary>
    /// Copies a file, unless one of its length is there: all but manifests of checkpoints is written once, or has its name from its
    /// content. Its name is on the disk once <see cref="DurableFile.FlushFolders"/> has put it there.
    /// </summary>
    internal static void Copy(string source, string target)
    {
        if (IsThere(source, target))
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

    private static bool IsThere(string source, string target) => !CheckpointFiles.IsManifest(target) && File.Exists(target)
        && new FileInfo(target).Length == new FileInfo(source).Length;
}
