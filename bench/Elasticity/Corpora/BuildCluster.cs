using Elastic.Testing;

namespace Elastic.Bench.Elasticity.Corpora;

/// <summary>A cluster of processes that can be told where to die, and the build of a corpus by them.</summary>
internal sealed class BuildCluster : ElasticCluster
{
    private static readonly string[] Built = ["texts", "corpora", "pieces", "tokens"];

    private readonly string _folder;
    private readonly string _manifest;
    private int _builds;

    public BuildCluster(string folder, string manifest, int seeds, int workers)
        : base(folder, new Wait(TimeSpan.FromMinutes(8), TimeSpan.FromMilliseconds(50)))
    {
        (_folder, _manifest) = (folder, manifest);
        Directory.CreateDirectory(folder);
        Database = $"sqlite:{Path.Combine(folder, "journal.db")}";
        (SeedCount, WorkerCount) = (seeds, workers);
    }

    private int SeedCount { get; }

    private int WorkerCount { get; }

    public async Task StartAsync()
    {
        // Each finds the others in the database.
        for (var i = 0; i < SeedCount; i++)
            await StartAsync(Seed($"seed-{i}", launch: LaunchOf($"seed-{i}"), more: [.. KnownSeeds(), .. Roots]));
        for (var i = 0; i < WorkerCount; i++)
            Worker($"worker-{i}", launch: LaunchOf($"worker-{i}"), more: Roots);
        await StartAsync(Workers);
    }

    /// <summary>A node dies at a step.</summary>
    public void Arm(ClusterNode node, string step, int at)
    {
        node.MayEnd();
        MortalProcess.Arm(FaultOf(node.Name), step, at);
    }

    /// <summary>Asks the first seed to build the corpus.</summary>
    public async Task BuildAsync()
    {
        _builds++;
        // A process looks for its fault some times a second.
        await Task.Delay(TimeSpan.FromMilliseconds(200));
        _ = PbmAsync("corpus", "build", "-m", _manifest, "-s", "corpus.tokenizer=byte");
    }

    /// <summary>Waits until the build is done.</summary>
    public Task DoneAsync() => UntilAsync("the corpus was built", IsDoneAsync);

    /// <summary>The build that was asked for last is done.</summary>
    public async Task<bool> IsDoneAsync() =>
        Seeds.Any(s => s.IsUp) && await LookAsync("corpus", "list") is { } builds && builds.Count >= _builds
            && builds[^1].TryGetProperty("state", out var state)
            && (state.GetString() == "failed" ? throw new InvalidOperationException($"the build failed: {builds[^1]}")
                : state.GetString() == "done");

    /// <summary>Takes away all that seeds have built and read.</summary>
    public void Empty()
    {
        foreach (var folder in Seeds.SelectMany(s => Built.Select(name => Path.Combine(s.DataDir, name)))
            .Where(Directory.Exists))
            Directory.Delete(folder, recursive: true);
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    // Of decontaminate's sets, which a node reads below its roots only.
    private IEnumerable<string> Roots => ["--set", $"node.corpus-roots=[{Path.GetDirectoryName(_manifest)}]"];

    private string FaultOf(string name) => Path.Combine(_folder, $"{name}.fault");

    private Launch LaunchOf(string name) => new("Elastic.Bench.Elasticity.dll") { Words = ["mortal", FaultOf(name)] };
}
