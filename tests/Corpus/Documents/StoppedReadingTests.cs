namespace Elastic.Corpus.Tests;

/// <summary>Whoever reads a file is told to stop in the middle of it: that is no damage of the file, which would be left out.</summary>
public sealed class StoppedReadingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a.txt")]
    [InlineData("a.xml")]
    [InlineData("a.html")]
    [InlineData("a.jsonl")]
    [InlineData("a.jsonl.gz")]
    [InlineData("a.jsonl.zst")]
    [InlineData("a.csv")]
    [InlineData("a.arrow")]
    [InlineData("a.warc")]
    [InlineData("a.tar")]
    [InlineData("a.zip")]
    [InlineData("a.epub")]
    [InlineData("a.txt.bz2")]
    [InlineData("a.txt.xz")]
    public void A_file_that_is_not_read_to_its_end_for_that_is_not_taken_for_damaged(string name)
    {
        var file = CorpusSources.Resolve([_folder.Write(name, MutatedFilesTests.Original(name))]).Single();
        file = file with { Cancel = new CancellationToken(canceled: true), Reading = file.Reading with { PassesOverRejects = true } };
        var statistics = new ReadStatistics();
        Assert.ThrowsAny<OperationCanceledException>(() => DocumentReader.Read(file, statistics).ToList());
        Assert.Equal((0, 0), (statistics.MalformedRecords, statistics.Documents));
        Assert.ThrowsAny<OperationCanceledException>(() => file.Hash());
        Assert.ThrowsAny<OperationCanceledException>(() => CorpusIdentity.Identify([file], Corpora.Settings(name), file.Cancel));
    }

    [Fact]
    public void A_large_file_is_let_go_in_the_middle_whoever_reads_it()
    {
        var path = _folder.Write("a.txt", string.Concat(Enumerable.Repeat("a line of a large text\n", 20_000)));
        using var cancel = new CancellationTokenSource();
        var file = CorpusSources.Resolve([path]).Single() with { Cancel = cancel.Token };
        using (var bytes = file.OpenRead())
        {
            Assert.NotEqual(0, bytes.Read(new byte[1000]));
            cancel.Cancel();
            Assert.Throws<OperationCanceledException>(() => bytes.Read(new byte[1000]));
        }
        Assert.Throws<OperationCanceledException>(() => FileParts.Of(file, new PartSize(1000, 1000)));
        Assert.Throws<OperationCanceledException>(() => CorpusSources.Find(Corpora.Settings(_folder.Path), cancel.Token));
    }
}
