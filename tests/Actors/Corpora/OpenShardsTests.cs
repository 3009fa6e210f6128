using Elastic.Actors.Corpora;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Corpora;

public sealed class OpenShardsTests : TemporaryFolder
{
    private readonly OpenShards _shards = new();
    private readonly List<TokenShard> _opened = [];
    private readonly BuiltCorpus _corpus;

    public OpenShardsTests() => _corpus = OneText.Build(Path.Combine(Folder, "corpus"));

    [Fact]
    public async Task A_shard_is_open_once_while_anybody_reads_it_and_a_few_stay_open_after_that()
    {
        using var kept = await TakeAsync("kept");
        (await TakeAsync("kept")).Dispose();
        Assert.Single(_opened);

        for (var i = 0; i <= OpenShards.MostIdle; i++)
        {
            var lease = await TakeAsync($"{i}");
            lease.Dispose();
            lease.Dispose();
        }
        Assert.True(IsOpen(0));
        Assert.Equal([1], Enumerable.Range(0, _opened.Count).Where(i => !IsOpen(i)));

        // The one that was used last goes last.
        (await TakeAsync("1")).Dispose();
        (await TakeAsync("0")).Dispose();
        Assert.Equal([1, 3], Enumerable.Range(0, _opened.Count).Where(i => !IsOpen(i)));
        Assert.Equal(OpenShards.MostIdle + 3, _opened.Count);
    }

    [Fact]
    public async Task One_that_cannot_be_opened_is_tried_again()
    {
        await Assert.ThrowsAsync<ElasticException>(() => _shards.TakeAsync("a", () => throw new ElasticException("it is damaged")));
        using var lease = await TakeAsync("a");
        Assert.True(IsOpen(0));
    }

    private Task<ShardLease> TakeAsync(string name) => _shards.TakeAsync(name, () =>
    {
        _opened.Add(TokenShard.Open(_corpus.ShardPath(_corpus.TrainShards[0])));
        return Task.FromResult(_opened[^1]);
    });

    private bool IsOpen(int number)
    {
        try
        {
            _opened[number].ReadTokens(0, new int[1]);
            return true;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
    }
}
