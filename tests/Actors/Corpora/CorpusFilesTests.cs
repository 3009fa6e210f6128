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
        Assert.Equal(other.ShardPath(other.TrainShards[0]), blobs.Find(other.TrainShards[0].Sha256));
    }
}
