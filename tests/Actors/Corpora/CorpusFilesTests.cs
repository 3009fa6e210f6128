using Elastic.Actors.Corpora;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Storage;
using Elastic.Testing;
using Elastic.Transfer;

namespace Elastic.Actors.Tests.Corpora;

public sealed class CorpusFilesTests : TemporaryFolder
{
    private static readonly Digest Id = Digest.Of("a corpus"u8), Another = Digest.Of("another"u8);

    [Fact]
    public async Task A_corpus_is_deleted_wherever_it_is_with_its_open_shards_and_another_one_of_the_same_bytes_is_served_on()
    {
        var paths = new DataPaths(Folder, Path.Combine(Folder, "shared"));
        paths.MakeCorpora();
        var corpus = OneText.Build(Path.Combine(Folder, "shared", Id.Hex));
        var other = OneText.Build(Path.Combine(Folder, "corpora", Another.Hex), Another);
        Directory.CreateDirectory(paths.FetchedCorpus(Id));
        File.WriteAllText(Path.Combine(paths.FetchedCorpus(Id), "part"), "12345");
        using var fetcher = new BlobFetcher(new Peers(), Transport.Plain);
        var blobs = new BlobLocations();
        var files = new CorpusFiles(paths, blobs, fetcher);
        await files.OpenAsync(Another, null, default);
        var lease = await files.ShardAsync(await files.OpenAsync(Id, null, default), heldOut: false, 0);

        using (new BuildFolder(corpus.Folder))
            Assert.Equal($"{corpus.Folder} is being built: wait until that is done, or stop it",
                Assert.Throws<ElasticException>(() => files.Delete(Id)).Message);
        var bytes = new DirectoryInfo(corpus.Folder).EnumerateFiles().Sum(f => f.Length) + 5;
        Assert.Equal(bytes, files.Delete(Id));
        Assert.Equal(0, files.Delete(Id));
        Assert.Equal(0, new CorpusFiles(new DataPaths(Path.Combine(Folder, "new")), blobs, fetcher).Delete(Id));
        Assert.False(Directory.Exists(paths.FetchedCorpus(Id)));
        Assert.Empty(Directory.GetFileSystemEntries(paths.Corpora));
        var shard = lease.Tokens;
        shard.ReadTokens(0, new int[1]);                               // whoever reads it reads on
        lease.Dispose();
        Assert.Throws<ObjectDisposedException>(() => shard.ReadTokens(0, new int[1]));
        Assert.Equal(
            other.ShardPath(other.TrainShards[0]),
            await blobs.FindAsync(other.TrainShards[0].Sha256, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_fetched_shard_that_is_damaged_is_fetched_again_and_one_that_was_built_here_is_not()
    {
        var cancel = TestContext.Current.CancellationToken;
        var there = OneText.Build(Path.Combine(Folder, "there"));
        var served = new BlobLocations();
        served.Add(there);
        await using var server = await DataServer.StartAsync("127.0.0.1", 0, served, new LivenessConnections(), Transport.Plain, cancel);
        var peers = new Peers();
        peers.Set([server.Endpoint]);
        using var fetcher = new BlobFetcher(peers, Transport.Plain);
        var paths = new DataPaths(Path.Combine(Folder, "here"));
        var files = new CorpusFiles(paths, new BlobLocations(), fetcher);
        var corpus = await files.OpenAsync(Id, there.ManifestDigest, cancel);
        var path = corpus.ShardPath(corpus.TrainShards[0]);
        await files.CompleteAsync(corpus, cancel);
        var whole = await File.ReadAllBytesAsync(path, cancel);
        await File.WriteAllBytesAsync(path, new byte[whole.Length], cancel);         // as after a power cut

        using (var lease = await files.ShardAsync(corpus, heldOut: false, 0))
            lease.Tokens.ReadTokens(0, new int[1]);
        Assert.Equal(whole, await File.ReadAllBytesAsync(path, cancel));

        var built = OneText.Build(new DataPaths(Path.Combine(Folder, "other")).Corpus(Id));
        await File.WriteAllBytesAsync(built.ShardPath(built.TrainShards[0]), new byte[whole.Length], cancel);
        var own = new CorpusFiles(new DataPaths(Path.Combine(Folder, "other")), new BlobLocations(), fetcher);
        await Assert.ThrowsAsync<ElasticException>(async () => await own.ShardAsync(built, heldOut: false, 0));
    }
}
