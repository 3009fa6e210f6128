using Elastic.Actors.Control;
using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>A corpus that the nodes of a cluster build has the bytes that one machine gives it.</summary>
public sealed class BuildSpecs : IDisposable
{
    private const int Files = SmallBuild.Files;

    private readonly SmallBuild _build = new();

    public void Dispose() => _build.Dispose();

    [Fact]
    public async Task One_node_that_is_lost_and_comes_back_and_three_of_which_one_is_lost_build_the_bytes_of_one_machine()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(300));
        var expected = _build.OnOneMachine();
        Assert.Contains(expected, f => f.Name == "datasheet.md");

        // It is lost while it reads, with some of the pieces taken.
        var read = 0;
        var isStuck = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (var first = await _build.StartAsync("seed", NodeDuty.Seed(), new NodeFaults(BeforePiece: (_, closed) =>
        {
            if (Interlocked.Increment(ref read) <= Files / 2)
                return Task.CompletedTask;
            isStuck.TrySetResult();
            return Task.Delay(Timeout.Infinite, closed);
        }), deadline.Token))
        {
            var stopped = await first.Control.BuildAsync(_build.Plan, Origins.Now("a test"), deadline.Token);
            await isStuck.Task.WaitAsync(deadline.Token);
            await first.Control.StopBuildAsync(stopped, Origins.Now("a test"), deadline.Token);
            var build = await first.Control.BuildAsync(_build.Plan, Origins.Now("a test"), deadline.Token);
            Assert.Equal(
                [(stopped, BuildState.Stopped), (build, BuildState.Running)],
                (await first.Control.BuildsAsync(deadline.Token)).Select(b => (b.Build, b.State)));
        }

        await using var seed = await _build.StartAsync("seed", NodeDuty.Seed(), NodeFaults.None, deadline.Token);
        using (var enough = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token))
        {
            var resuming = seed.Builds.GoOnAsync(_ => _build.Plan, _ => { }, enough.Token);
            var build = await SmallBuild.WatchAsync(seed, (await seed.Control.BuildsAsync(deadline.Token))[^1].Build, deadline.Token);
            Assert.Equal((BuildState.Done, true), (build.State, Directory.Exists(build.Note)));
            Assert.Single(Directory.GetFiles(build.Note, "documents-*.parquet"));
            await enough.CancelAsync();
            await resuming;
        }
        Assert.Equal(expected, _build.TextsOf("seed"));

        foreach (var folder in new[] { "pieces", "texts", "corpora" })
            Directory.Delete(Path.Combine(_build.Root, "seed", folder), recursive: true);
        var (begun, others) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), 0);
        var lost = await _build.StartAsync("lost", NodeDuty.Worker(seed.Endpoint), new NodeFaults(BeforePiece: (_, closed) =>
        {
            begun.TrySetResult();
            return Task.Delay(Timeout.Infinite, closed);
        }), deadline.Token);
        await using var stays = await _build.StartAsync("stays", NodeDuty.Worker(seed.Endpoint), new NodeFaults(BeforePiece: (_, _) =>
        {
            Interlocked.Increment(ref others);
            return Task.CompletedTask;
        }), deadline.Token);
        while ((await seed.Control.NodesAsync(deadline.Token)).Count(n => n.State == "up") < 3)
            await Task.Delay(20, deadline.Token);
        var again = await seed.Control.BuildAsync(_build.Plan, Origins.Now("a test"), deadline.Token);
        Assert.Equal(again, await seed.Control.BuildAsync(_build.Plan, Origins.Now("a test"), deadline.Token));
        await Assert.ThrowsAsync<ElasticException>(
            () => seed.Control.BuildAsync(_build.Plan with { Text = "another" }, Origins.Now("a test"), deadline.Token));
        await begun.Task.WaitAsync(deadline.Token);
        await lost.DisposeAsync();
        Assert.Equal(BuildState.Done, (await SmallBuild.WatchAsync(seed, again, deadline.Token)).State);
        Assert.Equal(expected, _build.TextsOf("seed"));
        Assert.InRange(others, 1, Files);

        // Nothing stays of it but the corpus and the pieces.
        foreach (var name in new[] { "seed", "stays" })
            while (new DirectoryInfo(Path.Combine(_build.Root, name, "builds")) is { Exists: true } folder
                && folder.EnumerateFileSystemInfos().Any())
                await Task.Delay(20, deadline.Token);
    }
}
