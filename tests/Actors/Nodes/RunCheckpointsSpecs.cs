using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>Which seed is asked for a checkpoint does not matter.</summary>
public sealed class RunCheckpointsSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();
    private readonly List<string> _said = [];

    public void Dispose() => _tiny.Dispose();

    [Fact]
    public async Task A_seed_that_has_no_checkpoint_gives_the_one_of_another_node_and_keeps_nothing_of_it()
    {
        using var deadline = new CancellationTokenSource(TinyRun.Patience);
        var name = new RunName("a");
        await using (var seed = await StartAsync("first", "cpu:1", deadline.Token))
        {
            var settings = TinyRun.Settings("a", averaging: AveragingMethod.Nesterov);
            settings = settings with { Checkpoint = settings.Checkpoint with { EveryRounds = 2, Keep = 2 } };
            var corpus = await seed.BuildCorpusAsync(
                settings.Corpus with { Sources = [Path.Combine(_tiny.Root, "text")] }, null, deadline.Token);
            Assert.IsType<RunReply.Accepted>(await seed.StartRunAsync(
                settings, corpus, Origins.Now("a test"), [new SettingsChange(3, """{"optimizer.learning-rate":0.0005}""")]));
            await foreach (var view in seed.WatchAsync(name, deadline.Token))
                Assert.Null(view.Failure);
        }
        // It has not opened the run since.
        await using var first = await StartAsync("first", "none", deadline.Token);
        await using var second = await StartAsync("second", "none", deadline.Token);
        while ((await second.Control.NodesAsync(deadline.Token)).Length < 2)
            await Task.Delay(20, deadline.Token);
        using var own = await first.Control.PlaceCheckpointAsync(name, Progress(), deadline.Token);
        Assert.Equal(Path.GetDirectoryName(own.Path), first.Paths.Checkpoints(new RunId(Path.GetFileName(own.Folder))));
        Assert.Empty(_said);

        using (var fetched = await second.Control.PlaceCheckpointAsync(name, Progress(), deadline.Token))
        {
            Assert.Equal(["fetches round 4 of run a from the nodes that have it"], _said);
            Assert.StartsWith(second.Paths.Evaluations, fetched.Path, StringComparison.Ordinal);
            Assert.Equal("round-000004.json", Path.GetFileName(fetched.Path));
            Assert.Equal(File.ReadAllText(own.Path), File.ReadAllText(fetched.Path));
            Assert.Equal(
                CheckpointContent.Of(own.Path).Select(f => (f.Name, Digest.Of(File.ReadAllBytes(f.Path)))),
                CheckpointContent.Of(fetched.Path).Select(f => (f.Name, Digest.Of(File.ReadAllBytes(f.Path)))));
            // Nothing but parameters: the outer momentum, which is as large, stays where it is.
            var (version, blobs) = (new Digest(CheckpointManifest.Read(own.Path).Parameters), BlobsOf(own));
            Assert.Contains(VectorSet.OuterMomentum, blobs.ReadSet(version).Vectors.Keys);
            Assert.Equal(
                blobs.ParameterBlobsOf(version).Select(b => b.Hex).Order(StringComparer.Ordinal),
                Directory.EnumerateFiles(Path.Combine(fetched.Folder, "blobs"), "*", SearchOption.AllDirectories).Select(Path.GetFileName)
                    .Order(StringComparer.Ordinal));
        }
        Assert.Empty(Directory.GetDirectories(second.Paths.Evaluations));
        using (var evaluated = await second.Control.CheckpointAsync(name, Progress(), deadline.Token))
            Assert.Equal((4, "a"), (evaluated.Manifest.Version, evaluated.Run.Name.Value));

        // Whatever else is there: without its tokenizer it is nothing, and its parameters are not fetched.
        await using (var third = await StartAsync("third", "none", deadline.Token))
        {
            var moved = Path.Combine(_tiny.Root, "moved");
            Directory.Move(first.Paths.Corpora, moved);
            foreach (var seed in new[] { second, third })
                if (Directory.Exists(seed.Paths.FetchedCorpora))
                    Directory.Delete(seed.Paths.FetchedCorpora, recursive: true);
            while ((await third.Control.NodesAsync(deadline.Token)).Length < 3)
                await Task.Delay(20, deadline.Token);
            Assert.StartsWith("the corpus of run a, which has its tokenizer, is not on this seed, and of the nodes that are here blob ",
                (await Assert.ThrowsAsync<ElasticException>(
                    () => third.Control.PlaceCheckpointAsync(name, Progress(), deadline.Token))).Message, StringComparison.Ordinal);
            Assert.Empty(Directory.GetDirectories(third.Paths.Evaluations));
            Directory.Move(moved, first.Paths.Corpora);
        }

        // The newest one is damaged on the only node that has it: the one before it is given, and that is said.
        var newest = CheckpointManifest.Read(own.Path);
        File.Delete(BlobsOf(own).PathOf(new Digest(newest.Parameters)));
        foreach (var seed in new[] { first, second })
            using (var older = await seed.Control.PlaceCheckpointAsync(name, Progress(), deadline.Token))
            {
                Assert.Equal("round-000002.json", Path.GetFileName(older.Path));
                Assert.StartsWith(
                    "round 4 is passed over: it is not whole on this seed, and of the nodes that are here blob ",
                    Assert.Single(older.PassedOver), StringComparison.Ordinal);
            }
        Directory.Delete(Path.Combine(own.Folder, "blobs"), recursive: true);
        var nobody = await Assert.ThrowsAsync<ElasticException>(
            () => second.Control.PlaceCheckpointAsync(name, Progress(), deadline.Token));
        Assert.StartsWith(
            "no checkpoint of run a is whole on this seed, or on the nodes that are here (round 4 is passed over", nobody.Message,
            StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(second.Paths.Evaluations));
        Assert.Equal("there is no run b: see pbm run list", (await Assert.ThrowsAsync<ElasticException>(
            () => second.Control.PlaceCheckpointAsync(new RunName("b"), Progress(), deadline.Token))).Message);
    }

    private static BlobStore BlobsOf(PlacedCheckpoint checkpoint) => new(Path.Combine(checkpoint.Folder, "blobs"), readOnly: true);

    private Lines Progress() => new(_said);

    private Task<ElasticNode> StartAsync(string name, string devices, CancellationToken cancel) => ElasticNode.StartAsync(
        NodeSettings.Defaults with
        {
            Devices = devices,
            DataDir = Path.Combine(_tiny.Root, name),
            Database = $"sqlite:{Path.Combine(_tiny.Root, "journal.db")}",
        }, NodeDuty.Seed(), _ => { }, cancel);

    private sealed class Lines(List<string> said) : IProgress<string>
    {
        public void Report(string value) => said.Add(value);
    }
}
