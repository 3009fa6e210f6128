namespace Elastic.Corpus.Tests;

public sealed class BuildFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Builders_that_come_to_their_end_at_once_both_have_the_folder()
    {
        for (var i = 0; i < 30; i++)
        {
            var target = _folder[$"text-{i}"];
            using var both = new Barrier(2);
            var errors = new Exception?[2];
            var threads = Enumerable.Range(0, 2).Select(n => new Thread(() => errors[n] = Record.Exception(() =>
            {
                using var build = new BuildFolder(target, "last");
                File.WriteAllText(Path.Combine(build.Current, "last"), "the same");
                both.SignalAndWait(TimeSpan.FromSeconds(30));
                build.Complete();
            }))).ToList();
            threads.ForEach(t => t.Start());
            threads.ForEach(t => t.Join());
            Assert.Equal([null, null], errors);
            Assert.Equal(["last"], Directory.GetFileSystemEntries(target).Select(Path.GetFileName));
        }
    }

    [Fact]
    public void What_could_not_be_removed_is_removed_with_the_next_build()
    {
        _folder.Write("whole/shard.bin", "12345");
        Assert.Equal(5, BuildFolder.Remove(_folder["whole"]));
        Assert.Equal(0, BuildFolder.Remove(_folder["whole"]));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));

        // A folder in the place of a file cannot be deleted as one.
        Directory.CreateDirectory(_folder[$"odd/{CorpusManifest.FileName}"]);
        Assert.ThrowsAny<Exception>(() => BuildFolder.Remove(_folder["odd"]));
        Assert.Equal(2, Directory.GetFileSystemEntries(_folder.Path).Length);
        BuildFolder.RemoveDead(_folder.Path);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void What_another_machine_builds_stays_although_its_lock_is_not_seen_here()
    {
        var (theirs, lockFile) = (_folder["text.building-1"], _folder["text.building-1.lock"]);
        _folder.Write("text.building-1/shard.bin", "12345");
        _folder.Write("text.building-1.lock", "another-machine");
        _folder.Write("text.building-2/shard.bin", "12345");
        _folder.Write("text.building-2.lock", Environment.MachineName);
        using (var ours = new BuildFolder(_folder["other"]))
            Assert.Equal([lockFile, theirs], Directory.GetFileSystemEntries(_folder.Path, "text*").Order().Reverse());

        // Of a machine that has written nothing for a week: nobody else would remove it.
        foreach (var path in (string[])[_folder["text.building-1/shard.bin"], lockFile])
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddDays(-8));
        Directory.SetLastWriteTimeUtc(theirs, DateTime.UtcNow.AddDays(-8));
        BuildFolder.RemoveDead(_folder.Path);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void A_builder_names_its_machine_and_its_folder_is_gone_with_it()
    {
        using (var build = new BuildFolder(_folder["text"]))
        {
            Assert.True(new FileInfo(build.Current + ".lock").Length > 0);
            BuildFolder.RemoveDead(_folder.Path);
            Assert.True(Directory.Exists(build.Current));
        }
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }
}
