using System.Security.Cryptography;
using System.Text.Json;
using Elastic.Actors.Control;
using Elastic.Actors.Nodes;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>A corpus that the nodes of a cluster build has the bytes that one machine gives it.</summary>
public sealed class BuildSpecs : IDisposable
{
    private const int Files = 12;

    private static readonly string[] Words = ["alpha", "beta", "gamma", "delta", "kappa", "lambda", "sigma", "omega"];

    private readonly string _root = Path.Combine(Path.GetTempPath(), $"elastic-{Guid.NewGuid():N}");

    public BuildSpecs()
    {
        Directory.CreateDirectory(_root);
        // Of every five documents two are the same, and one is too short.
        for (var file = 0; file < Files; file++)
            File.WriteAllLines(
                Path.Combine(_root, $"{file:00}.jsonl"),
                Enumerable.Range(0, 5).Select(
                    i => JsonSerializer.Serialize(new { text = i == 3 ? "short" : Text(i == 4 ? 0 : file * 10 + i) })));
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task One_node_that_is_lost_and_comes_back_and_three_of_which_one_is_lost_build_the_bytes_of_one_machine()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(300));
        var expected = OnOneMachine();
        Assert.Contains(expected, f => f.Name == "datasheet.md");

        // It is lost while it reads, with some of the pieces taken.
        var read = 0;
        var isStuck = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (var first = await StartAsync("seed", NodeDuty.Seed(), new NodeFaults(BeforePiece: (_, closed) =>
        {
            if (Interlocked.Increment(ref read) <= Files / 2)
                return Task.CompletedTask;
            isStuck.TrySetResult();
            return Task.Delay(Timeout.Infinite, closed);
        }), deadline.Token))
        {
            var stopped = await first.Control.Build(Plan, Origins.Now("a test"), deadline.Token);
            await isStuck.Task.WaitAsync(deadline.Token);
            await first.Control.StopBuild(stopped, Origins.Now("a test"), deadline.Token);
            var build = await first.Control.Build(Plan, Origins.Now("a test"), deadline.Token);
            Assert.Equal(
                [(stopped, BuildState.Stopped), (build, BuildState.Running)],
                (await first.Control.Builds(deadline.Token)).Select(b => (b.Build, b.State)));
        }

        await using var seed = await StartAsync("seed", NodeDuty.Seed(), NodeFaults.None, deadline.Token);
        using (var enough = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token))
        {
            var resuming = seed.Builds.ResumeAsync(_ => Plan, _ => { }, enough.Token);
            var build = await WatchAsync(seed, (await seed.Control.Builds(deadline.Token))[^1].Build, deadline.Token);
            Assert.Equal((BuildState.Done, true), (build.State, Directory.Exists(build.Note)));
            Assert.Single(Directory.GetFiles(build.Note, "documents-*.parquet"));
            await enough.CancelAsync();
            await resuming;
        }
        Assert.Equal(expected, FilesOf(Path.Combine(_root, "seed", "texts")));

        foreach (var folder in new[] { "pieces", "texts", "corpora" })
            Directory.Delete(Path.Combine(_root, "seed", folder), recursive: true);
        var (begun, others) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), 0);
        var lost = await StartAsync("lost", NodeDuty.Worker(seed.Endpoint), new NodeFaults(BeforePiece: (_, closed) =>
        {
            begun.TrySetResult();
            return Task.Delay(Timeout.Infinite, closed);
        }), deadline.Token);
        await using var stays = await StartAsync("stays", NodeDuty.Worker(seed.Endpoint), new NodeFaults(BeforePiece: (_, _) =>
        {
            Interlocked.Increment(ref others);
            return Task.CompletedTask;
        }), deadline.Token);
        while ((await seed.Control.Nodes(deadline.Token)).Count(n => n.State == "up") < 3)
            await Task.Delay(20, deadline.Token);
        var again = await seed.Control.Build(Plan, Origins.Now("a test"), deadline.Token);
        Assert.Equal(again, await seed.Control.Build(Plan, Origins.Now("a test"), deadline.Token));
        await Assert.ThrowsAsync<ElasticException>(
            () => seed.Control.Build(Plan with { Text = "another" }, Origins.Now("a test"), deadline.Token));
        await begun.Task.WaitAsync(deadline.Token);
        await lost.DisposeAsync();
        Assert.Equal(BuildState.Done, (await WatchAsync(seed, again, deadline.Token)).State);
        Assert.Equal(expected, FilesOf(Path.Combine(_root, "seed", "texts")));
        Assert.InRange(others, 1, Files);

        // Nothing stays of it but the corpus and the pieces.
        foreach (var name in new[] { "seed", "stays" })
            while (new DirectoryInfo(Path.Combine(_root, name, "builds")) is { Exists: true } folder
                && folder.EnumerateFileSystemInfos().Any())
                await Task.Delay(20, deadline.Token);
    }

    private BuildPlan Plan => new(
        Path.Combine(_root, "web.conf"), "the manifest", [],
        BuildManifest.Of(
            [[new("source.name", ["in"], false, "a test"), new("source.paths", [_root], true, "a test"),
                new("source.include", ["*.jsonl"], true, "a test")]],
            [
                (StageKinds.Find("clean")!, []),
                (StageKinds.Find("gopher-quality")!, [new("gopher-quality.words", ["20", "1000"], true, "a test"),
                    new("gopher-quality.least-stop-words", ["0"], false, "a test")]),
                (StageKinds.Find("exact-duplicates")!, []),
            ]),
        CorpusSettings.Defaults with { Tokenizer = "byte" });

    private List<(string Name, string Hash)> OnOneMachine()
    {
        var built = new CorpusBuilder(
            Plan.Manifest, new PieceStore(Path.Combine(_root, "alone", "pieces")), Path.Combine(_root, "alone", "texts"))
            .Run(1, null, CancellationToken.None);
        Assert.Equal((Files * 5, Files * 3), (built.Report.Read.Sum(r => r.Documents), built.Report.Kept.Sum(r => r.Documents)));
        return FilesOf(Path.Combine(_root, "alone", "texts"));
    }

    private static async Task<BuildStatus> WatchAsync(ElasticNode seed, string build, CancellationToken cancel)
    {
        BuildStatus? last = null;
        await foreach (var status in seed.Control.WatchBuild(build, cancel).WithCancellation(cancel))
            last = status;
        return last!;
    }

    private Task<ElasticNode> StartAsync(string name, NodeDuty duty, NodeFaults faults, CancellationToken cancel) => ElasticNode.StartAsync(
        NodeSettings.Defaults with { Devices = "none", DataDir = Path.Combine(_root, name) }, duty, _ => { }, faults, Transport.Plain,
        cancel);

    // Below the folder of the build, whose name is the text's identity.
    private static List<(string Name, string Hash)> FilesOf(string texts)
    {
        var folder = Assert.Single(Directory.GetDirectories(texts));
        return
        [
            (Path.GetFileName(folder), ""),
            .. Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
                .Select(f => (Path.GetRelativePath(folder, f), Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(f))))),
        ];
    }

    private static string Text(int seed) =>
        string.Join(' ', Enumerable.Range(0, 40).Select(i => Words[(seed * 7 + i * i * (seed + 3)) % Words.Length])) + $" {seed}";
}
