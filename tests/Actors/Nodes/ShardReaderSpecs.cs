using Akka.Actor;
using Elastic.Actors.Corpora;
using Elastic.Actors.Hosting;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Corpora;
using Elastic.Messages.Settings;
using Elastic.Storage;
using Elastic.Testing;
using Elastic.Transfer;

namespace Elastic.Actors.Tests.Nodes;

// What a shard reader answers to requests that no node of ours makes.
public sealed class ShardReaderSpecs : TemporaryFolder
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_request_for_more_than_an_answer_carries_or_for_what_is_not_there_is_refused_and_the_reader_goes_on()
    {
        var (paths, id) = (new DataPaths(Folder), Digest.Of("id"u8));
        var bytes = Tokenizer.Open("byte");
        using (var writer = new CorpusWriter(paths.Corpus(id), id, bytes))
        {
            var numbers = new Document("Web", "a", string.Join(' ', Enumerable.Range(0, 1000)));
            var batch = new DocumentBatch(0, [numbers, new Document("Books", "b", "last words of all")]);
            writer.Append(BatchTokenizer.Tokenize(bytes, batch, 0));
            writer.Complete(new ReadStatistics());
        }

        using var fetcher = new BlobFetcher(new Peers(), Transport.Plain);
        using var system = ActorSystem.Create("elastic-devices", AkkaSettings.ForDevices(paths));
        var files = new CorpusFiles(paths, new BlobLocations(), fetcher);
        var reader = system.ActorOf(ShardReaderActor.Props(files));
        var sound = new ReadBlocks(new ShardId(id, 0), false, SampleKind.Blocks, 16, [0, 1]);
        Assert.Equal(2 * 17 * 2, (await AskAsync<BlocksRead>(sound)).Tokens.Length);
        foreach (var (request, why) in new[]
            {
                (sound with { Context = int.MaxValue }, "no answer can hold"), (sound with { Context = 1 << 30 }, "no answer can hold"),
                (sound with { Context = 0 }, "no answer can hold"), (sound with { Context = -2 }, "no answer can hold"),
                (sound with { Blocks = new int[4000] }, "no answer can hold"), (sound with { Blocks = [-1] }, "block"),
                (sound with { Blocks = [1 << 30] }, "block"),
            })
            Assert.Contains(why, (await AskAsync<ShardUnreadable>(request)).Why, StringComparison.Ordinal);
        Assert.Equal(2 * 17 * 2, (await AskAsync<BlocksRead>(sound)).Tokens.Length);

        // "0 1 2 … 999" has 3,889 bytes, and an end of text; the last words have 17 and one.
        var sources = new ReadSources(sound.Shard, false, SampleKind.Blocks, 16, 243);
        Assert.Equal([new SourceRun("Web", 2), new SourceRun("Books", 15)], (await AskAsync<SourcesRead>(sources)).Runs);
        Assert.Equal([new SourceRun("Web", 17)], (await AskAsync<SourcesRead>(sources with { Block = 3 })).Runs);
        Assert.Equal(
            [new SourceRun("Books", 33)], (await AskAsync<SourcesRead>(sources with { Kind = SampleKind.Pairs, Block = 1 })).Runs);
        foreach (var request in new[]
            {
                sources with { Block = 244 }, sources with { Block = -1 }, sources with { Block = int.MaxValue },
                sources with { Context = 0 }, sources with { Context = int.MaxValue }, sources with { Kind = (SampleKind)99 },
                sources with { Kind = SampleKind.Documents, Block = 2 },
            })
            await AskAsync<ShardUnreadable>(request);

        reader = system.ActorOf(ShardReaderActor.Props(files));
        Assert.Contains(
            "no shard 7", (await AskAsync<ShardUnreadable>(sound with { Shard = new ShardId(id, 7) })).Why, StringComparison.Ordinal);

        async Task<T> AskAsync<T>(object request) => Assert.IsType<T>(await reader.Ask<object>(request, Deadline));
    }

    // The one who asks has the manifest alone: what it does not get from the reader, it gets from nowhere.
    [Theory]
    [InlineData(SampleKind.Blocks)]
    [InlineData(SampleKind.Packed)]
    public async Task A_sample_that_no_answer_holds_comes_in_parts(SampleKind kind)
    {
        const int Context = 32_768;
        var (there, here) = (new DataPaths(Path.Combine(Folder, "there")), new DataPaths(Path.Combine(Folder, "here")));
        var id = Digest.Of("id"u8);
        var built = Long(there, id);
        using var fetcher = new BlobFetcher(new Peers(), Transport.Plain);
        using var system = ActorSystem.Create("elastic-devices", AkkaSettings.ForDevices(there));
        var files = new CorpusFiles(there, new BlobLocations(), fetcher);
        var way = new ReaderWay { Region = system.ActorOf(ShardReaderActor.Props(files)) };
        var manifest = await File.ReadAllBytesAsync(built.ManifestPath, TestContext.Current.CancellationToken);
        var corpus = BuiltCorpus.Receive(here.FetchedCorpus(id), id, manifest);
        var map = new BlockMap(corpus.TrainShards, new SampleCut(kind, Context));

        var tokens = await new BlockReader(way, new CorpusFiles(here, new BlobLocations(), fetcher), corpus, map, heldOut: false)
            .ReadAsync([2, 0], TestContext.Current.CancellationToken);

        using var shard = TokenShard.Open(built.ShardPath(built.TrainShards[0]));
        var due = new int[2 * map.Cut.Length];
        map.Cut.Read(shard, 2, due.AsSpan(0, map.Cut.Length));
        map.Cut.Read(shard, 0, due.AsSpan(map.Cut.Length));
        Assert.Equal(due, tokens);
        Assert.Equal(kind == SampleKind.Packed, tokens.Any(e => (e & SampleElement.Begins) != 0));
    }

    [Fact]
    public async Task A_document_that_no_answer_holds_is_read_here_and_nobody_is_asked_for_it()
    {
        var (paths, id) = (new DataPaths(Folder), Digest.Of("id"u8));
        var corpus = Long(paths, id);
        using var fetcher = new BlobFetcher(new Peers(), Transport.Plain);
        using var system = ActorSystem.Create("elastic-devices", AkkaSettings.ForDevices(paths));
        using var asked = Inbox.Create(system);
        var map = new BlockMap(corpus.TrainShards, new SampleCut(SampleKind.Documents, 32_768));
        var reader = new BlockReader(
            new ReaderWay { Region = asked.Receiver }, new CorpusFiles(paths, new BlobLocations(), fetcher), corpus, map, heldOut: false);

        var tokens = await reader.ReadAsync([1], TestContext.Current.CancellationToken);

        using var shard = TokenShard.Open(corpus.ShardPath(corpus.TrainShards[0]));
        var due = new int[map.Cut.Length];
        map.Cut.Read(shard, 1, due);
        Assert.Equal(due, tokens);
        Assert.Throws<TimeoutException>(() => asked.Receive(TimeSpan.Zero));
    }

    // A shard of three samples of 32,768 tokens, in documents of many lengths.
    private static BuiltCorpus Long(DataPaths paths, Digest id)
    {
        var bytes = Tokenizer.Open("byte");
        using var writer = new CorpusWriter(paths.Corpus(id), id, bytes);
        Document[] documents =
            [.. Enumerable.Range(0, 40).Select(i => new Document("Web", $"{i}", string.Join(' ', Enumerable.Range(i, 10 + 37 * i))))];
        writer.Append(BatchTokenizer.Tokenize(bytes, new DocumentBatch(0, documents), 0));
        return writer.Complete(new ReadStatistics());
    }
}
