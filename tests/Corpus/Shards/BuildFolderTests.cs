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
}
