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
}
