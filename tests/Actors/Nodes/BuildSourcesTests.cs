using Elastic.Actors.Nodes;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>Which files of its machine a node reads for a corpus that another node builds.</summary>
public sealed class BuildSourcesTests : IDisposable
{
    private readonly string _root = RealPath.Of(Directory.CreateTempSubdirectory("elastic-").FullName);
    private readonly BlobFetcher _fetcher =
        new(new Peers(new TransferLimits { Patience = TimeSpan.FromMilliseconds(10) }), Transport.Plain);

    public void Dispose()
    {
        _fetcher.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task Only_a_file_below_the_roots_with_the_same_bytes_is_read_where_it_is()
    {
        var (shared, other) = (Write("shared/a.txt", "text"), Write("other/a.txt", "text"));
        Directory.CreateSymbolicLink(Path.Combine(_root, "shared", "link"), Path.Combine(_root, "other"));
        var sources = new BuildSources([Path.Combine(_root, "shared")], _fetcher, Path.Combine(_root, "fetched"));
        Assert.Equal(shared, await PathOf(sources, shared, "text"));
        Assert.Null(await PathOf(sources, shared, "txet"));              // as long, and not the same
        Assert.Null(await PathOf(sources, other, "text"));
        Assert.Null(await PathOf(sources, Path.Combine(_root, "shared", "link", "a.txt"), "text"));
        Assert.Null(await PathOf(sources, Path.Combine(_root, "shared", "none.txt"), "text"));
        Assert.Null(await PathOf(new BuildSources([], _fetcher, Path.Combine(_root, "fetched")), shared, "text"));
    }

    [Fact]
    public async Task A_file_that_changes_while_it_is_read_counts_for_nothing()
    {
        var path = Write("shared/a.txt", "text");
        var sources = new BuildSources([_root], _fetcher, Path.Combine(_root, "fetched"));
        var changed = await Assert.ThrowsAsync<ElasticException>(() => sources.WithAsync(Piece(path, "text"), here =>
        {
            File.SetLastWriteTimeUtc(here, DateTime.UtcNow.AddMinutes(1));
            return Task.FromResult(true);
        }, CancellationToken.None));
        Assert.Contains("changed while it was read", changed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_build_that_ends_reads_no_large_file_to_its_end()
    {
        var path = Write("shared/large.txt", "");
        using (var file = File.OpenWrite(path))
            file.SetLength(1L << 40);                                  // of holes; reading them takes hours
        var sources = new BuildSources([_root], _fetcher, Path.Combine(_root, "fetched"));
        using var closing = new CancellationTokenSource();
        var reading = sources.WithAsync(
            Piece(path, "another text") with { Length = 1L << 40 }, here => Task.FromResult(here), closing.Token);
        await closing.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => reading.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_model_elsewhere_is_refused_with_the_setting_that_would_allow_it()
    {
        var model = Write("models/a.bin", "");
        new BuildSources([Path.Combine(_root, "models")], _fetcher, _root).Allow(model);
        Assert.StartsWith(
            $"{model} is not below this node's node.corpus-roots (empty): ",
            Assert.Throws<ElasticException>(() => new BuildSources([], _fetcher, _root).Allow(model)).Message, StringComparison.Ordinal);
    }

    // Null where it would be fetched.
    private static async Task<string?> PathOf(BuildSources sources, string path, string content)
    {
        try
        {
            return await sources.WithAsync(
                Piece(path, content), here => Task.FromResult<string?>(here), TestContext.Current.CancellationToken);
        }
        catch (BlobLostException)
        {
            return null;
        }
    }

    private static SharedPiece Piece(string path, string content)
    {
        var digest = Digest.Of(System.Text.Encoding.UTF8.GetBytes(content)).Hex;
        return new SharedPiece(0, path, "a.txt", DocumentFormat.Text, Packing.None, digest, content.Length, digest, digest);
    }

    private string Write(string name, string text)
    {
        var path = Path.Combine(_root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }
}
