using Elastic.Actors.Control;
using Elastic.Actors.Nodes;
using Elastic.Corpus.Build;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>Where the sources of a build by nodes are, and where what was read of them is.</summary>
public sealed class BuildSourcesSpecs : IDisposable
{
    private readonly SmallBuild _build = new();

    public void Dispose() => _build.Dispose();

    [Fact]
    public async Task Files_of_another_node_are_built_as_those_of_the_own_machine_and_only_below_its_roots()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        var expected = _build.OnOneMachine();
        await using var seed = await _build.StartAsync("seed", NodeDuty.Seed(), NodeFaults.None, deadline.Token);
        await using var worker = await _build.StartAsync(
            "worker", NodeDuty.Worker(seed.Endpoint), NodeFaults.None, deadline.Token, s => s with { CorpusRoots = [_build.Sources] });
        while ((await seed.Control.NodesAsync(deadline.Token)).Count(n => n.State == "up") < 2)
            await Task.Delay(20, deadline.Token);

        async Task<BuildStatus> BuildAsync(string path) => await SmallBuild.WatchAsync(
            seed, await seed.Control.BuildAsync(_build.PlanOf(path), Origins.Now("a test"), deadline.Token), deadline.Token);

        var refused = await BuildAsync($"{worker.Endpoint}:{_build.Root}");
        Assert.Equal(BuildState.Failed, refused.State);
        Assert.Contains(
            $"node {worker.Endpoint}: {_build.Root} is not below this node's node.corpus-roots ({_build.Sources})", refused.Note,
            StringComparison.Ordinal);
        Assert.Contains("nobody", (await BuildAsync("nobody-3k9v2mq7:/data")).Note, StringComparison.Ordinal);

        Assert.Equal(BuildState.Done, (await BuildAsync($"{worker.Context.Facts.Id}:{_build.Sources}")).State);
        Assert.Equal(expected, _build.TextsOf("seed"));
    }

    [Fact]
    public async Task A_later_build_a_take_down_and_a_trial_by_nodes_have_the_bytes_of_fresh_ones_on_one_machine()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        await using var seed = await _build.StartAsync("seed", NodeDuty.Seed(), NodeFaults.None, deadline.Token);
        await CompareAsync(m => m);
        _build.AddFile();
        await CompareAsync(m => m);
        await CompareAsync(m => m with
        {
            TakeDowns = TakeDowns.Of(new TakeDownSettings { Documents = ["in/00.jsonl:1"], Urls = [], Licences = [], File = null }),
        });
        await CompareAsync(m => m with { Limit = 7 });

        // The newest text is another one each time.
        async Task CompareAsync(Func<BuildManifest, BuildManifest> change)
        {
            var plan = _build.Plan with { Manifest = change(_build.Plan.Manifest) };
            var report = _build.OnOneMachine(plan.Manifest);
            var texts = Path.Combine(_build.Root, "seed", "texts");
            if (Directory.Exists(texts))
                Directory.Delete(texts, recursive: true);
            var build = await seed.Control.BuildAsync(plan, Origins.Now("a test"), deadline.Token);
            Assert.Equal(BuildState.Done, (await SmallBuild.WatchAsync(seed, build, deadline.Token)).State);
            Assert.Equal(_build.TextsOf("alone"), _build.TextsOf("seed"));
            Assert.Equal(report.Id, Assert.Single(Directory.GetDirectories(texts).Select(Path.GetFileName)));
        }
    }

    [Fact]
    public async Task A_seed_that_takes_a_build_over_has_only_that_read_which_was_not_acknowledged()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        var expected = _build.OnOneMachine();
        // Files, each once: a piece is given again where a busy node has not said in time that it has it.
        var (read, isHeld) = (new List<string>(), true);
        var faults = new NodeFaults(BeforePiece: async (file, closed) =>
        {
            bool isLate;
            lock (read)
            {
                if (!read.Contains(file))
                    read.Add(file);
                isLate = isHeld && read.IndexOf(file) >= SmallBuild.Files / 2;
            }

            if (isLate)
                await Task.Delay(Timeout.Infinite, closed);
        });
        var database = $"sqlite:{Path.Combine(_build.Root, "journal.db")}";
        var first = await _build.StartAsync(
            "first", NodeDuty.Seed(), faults, deadline.Token, s => s with { Database = database });
        await using var second = await _build.StartAsync(
            "second", NodeDuty.Seed(), faults, deadline.Token, s => s with { Database = database });
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token);
        var build = await first.Control.BuildAsync(_build.Plan, Origins.Now("a test"), deadline.Token);
        var standby = new BuildStandby(second, _ => { }).RunAsync(_ => _build.Plan, enough.Token);
        var pieces = Path.Combine(_build.Root, "second", "pieces");
        while (!Directory.Exists(pieces) || Directory.GetFiles(pieces, "*.documents.jsonl.zst").Length < SmallBuild.Files / 2)
            await Task.Delay(20, deadline.Token);
        await enough.CancelAsync();
        await standby;
        await first.DisposeAsync();

        // As it does where the first one is away for a minute.
        Assert.True(await new BuildList(second.Database!).TakeOverAsync(
            build, first.Context.Facts.Id, second.Context.Facts.Id, deadline.Token));
        lock (read)
        {
            read.Clear();
            isHeld = false;
        }

        using var over = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token);
        var resuming = Task.WhenAll(
            second.Builds.GoOnAsync(_ => _build.Plan, _ => { }, over.Token), second.Builds.StandByAsync(_ => _build.Plan, over.Token));
        Assert.Equal(BuildState.Done, (await SmallBuild.WatchAsync(second, build, deadline.Token)).State);
        await over.CancelAsync();
        await resuming;
        Assert.Equal(SmallBuild.Files / 2, read.Count);
        Assert.Equal(expected, _build.TextsOf("second"));
        Assert.Empty(await new BuildPieces(second.Database!).ReadAsync(build, 0, deadline.Token));
    }
}
