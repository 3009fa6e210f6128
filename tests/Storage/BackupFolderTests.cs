using System.Text;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Vectors;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

/// <summary>When a backup in a folder takes the place of the one before it, and what is in its way.</summary>
public sealed class BackupFolderTests : TemporaryFolder
{
    private static readonly RunId Run = new("tiny-3k9v2mq7");

    private DataPaths Data => new(Path.Combine(Folder, "data"));

    private DataPaths Copy => new(Path.Combine(Folder, "copy"));

    [Fact]
    public async Task A_set_that_cannot_be_read_back_for_a_moment_ends_the_backup_and_the_earlier_one_stands()
    {
        var first = await BackUpAsync(1);
        var place = new BackupFolder(Copy);
        var second = await CopyAsync(place, 2);
        using (new FileStream(new BlobStore(Copy.Blobs(Run)).PathOf(second), FileMode.Open, FileAccess.Read, FileShare.None))
        {
            var failed = await Assert.ThrowsAsync<ElasticException>(() => place.CompleteAsync(null, Manifest(2), default));
            Assert.StartsWith($"the checkpoint of run {Run} after round 2 was copied to {Copy.Root} and cannot be read there (",
                failed.Message, StringComparison.Ordinal);
        }

        Assert.Equal(1, Assert.Single(BackupManifest.Read(Copy.Root).Runs).Checkpoint);
        Assert.True(new BlobStore(Copy.Blobs(Run)).IsWhole(first));
        Assert.Equal(2, CheckpointFiles.In(Copy.Checkpoints(Run)).Count);

        await place.CompleteAsync(null, Manifest(2), default);
        Assert.True(new BlobStore(Copy.Blobs(Run)).IsWhole(second));
        Assert.False(new BlobStore(Copy.Blobs(Run)).Has(first));
        Assert.EndsWith("round-000002.json", Assert.Single(CheckpointFiles.In(Copy.Checkpoints(Run))), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_backup_says_that_it_is_whole_only_once_the_names_of_its_files_are_on_the_disk()
    {
        var place = new BackupFolder(Copy);
        await CopyAsync(place, 1);
        await File.WriteAllTextAsync(Path.Combine(Folder, "other"), "a file");
        await place.CopyAsync(Path.Combine(Folder, "other"), "corpora/other/other", default);
        Directory.Delete(Path.Combine(Copy.Corpora, "other"), recursive: true);   // a folder that cannot be flushed
        if (OperatingSystem.IsWindows())
            return;                                                    // there nobody has to
        await Assert.ThrowsAnyAsync<IOException>(() => place.CompleteAsync(null, Manifest(1), default));
        Assert.False(File.Exists(Path.Combine(Copy.Root, BackupManifest.FileName)));
    }

    [Theory]
    [InlineData("journal.db-wal")]
    [InlineData("journal.db-shm")]
    [InlineData("journal.db-journal")]
    public async Task What_lies_beside_the_place_of_a_journal_is_a_part_of_another_one(string name)
    {
        var (stale, journal) = (Path.Combine(Copy.Root, name), Path.Combine(Folder, "journal"));
        Directory.CreateDirectory(Copy.Root);
        await File.WriteAllTextAsync(stale, "of an older journal");
        var refused = Assert.Throws<ElasticException>(() => DataRestore.CheckEmpty(Copy, Manifest(1)));
        Assert.Equal($"{Copy.Root} has a journal or runs already ({name}): name an empty folder with --data-dir", refused.Message);

        await File.WriteAllTextAsync(journal, "the new one");
        await new BackupFolder(Copy).CompleteAsync(journal, Manifest(null), default);
        Assert.Equal("the new one", await File.ReadAllTextAsync(Copy.Journal));
        Assert.False(File.Exists(stale));
    }

    [Theory]
    [InlineData("node-id", "is the data directory of a node, and a backup would replace its journal: name another folder")]
    [InlineData("journal.db", "is no backup, and not empty (journal.db is there): name another folder, or a new one")]
    [InlineData("01.txt", "is no backup, and not empty (01.txt is there): name another folder, or a new one")]
    public async Task A_folder_that_holds_something_else_is_no_place_for_a_backup(string file, string why)
    {
        Directory.CreateDirectory(Copy.Root);
        var path = Path.Combine(Copy.Root, file);
        await File.WriteAllTextAsync(path, "somebody's");
        var refused = await Assert.ThrowsAsync<ElasticException>(() => new BackupFolder(Copy).BeginAsync(default));
        Assert.Equal($"{Copy.Root} {why}", refused.Message);
        Assert.Equal("somebody's", await File.ReadAllTextAsync(path));

        // What a backup leaves that was interrupted, and what systems put into the root of a disk.
        File.Delete(path);
        await CopyAsync(new BackupFolder(Copy), 1);
        Directory.CreateDirectory(Path.Combine(Copy.Root, "lost+found"));
        await File.WriteAllTextAsync(DurableFile.TemporaryPath(Copy.Journal), "half a journal");
        await new BackupFolder(Copy).BeginAsync(default);
        await File.WriteAllTextAsync(Copy.Journal, "a journal without its manifest");
        var beside = DurableFile.TemporaryPath(Copy.Journal) + "-journal";
        await File.WriteAllTextAsync(beside, "SQLite's");
        await new BackupFolder(Copy).BeginAsync(default);
        Assert.False(File.Exists(beside));

        await BackUpAsync(1);
        Assert.DoesNotContain(Directory.GetFiles(Copy.Root), f => f.EndsWith("begun", StringComparison.Ordinal));
        await File.WriteAllTextAsync(Path.Combine(Copy.Root, "notes.txt"), "of who made it");
        await new BackupFolder(Copy).BeginAsync(default);
    }

    private async Task<Digest> BackUpAsync(int version)
    {
        var place = new BackupFolder(Copy);
        var set = await CopyAsync(place, version);
        await place.CompleteAsync(null, Manifest(version), default);
        return set;
    }

    // What DataBackup copies of a checkpoint.
    private async Task<Digest> CopyAsync(BackupFolder place, int version)
    {
        var blobs = new BlobStore(Data.Blobs(Run));
        var chunk = blobs.Put(Encoding.UTF8.GetBytes($"{version:0000}"));
        var set = blobs.PutSet(new VectorSet(new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = new(1, [chunk]) }));
        Directory.CreateDirectory(Data.Checkpoints(Run));
        var manifest = Path.Combine(Data.Checkpoints(Run), $"round-{version:000000}.json");
        await File.WriteAllBytesAsync(
            manifest, (CheckpointManifestTests.Manifest with { Version = version, Parameters = set.Hex, InnerStates = [] }).ToBytes());
        await place.BeginAsync(default);
        foreach (var path in new[] { blobs.PathOf(chunk), blobs.PathOf(set), manifest })
            await place.CopyAsync(path, Path.GetRelativePath(Data.Root, path), default);
        return set;
    }

    private static BackupManifest Manifest(int? checkpoint) => new(1, false, [new(Run.Value, checkpoint ?? 1, checkpoint, null)]);
}
