using System.Text.Json;
using Elastic.Messages.Runs;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>A cluster, one small run of it, and the proof that the run came to what it comes to undisturbed.</summary>
internal sealed class TestCluster : ElasticCluster
{
    public const string Run = "tiny";

    private readonly WatchedRun _watch;

    public TestCluster() : this(new TinyFiles())
    {
    }

    private TestCluster(TinyFiles files) : base(files.Root, new Wait(TimeSpan.FromMinutes(2), TimeSpan.FromMilliseconds(50)))
    {
        Files = files;
        _watch = new WatchedRun(() => Seeds.FirstOrDefault(s => s.IsUp), PbmOptions);
    }

    public TinyFiles Files { get; }

    /// <summary>Rounds of the run that were seen to be committed.</summary>
    public int Round => _watch.Round;

    /// <summary>"computing", "finished" ...</summary>
    public string Phase => _watch.Latest?.GetProperty("phase").GetString() ?? "";

    /// <summary>Starts one seed and so many workers, and the run on them.</summary>
    /// <param name="launch">Of the workers.</param>
    /// <param name="settings">"key=value", on top of the configuration.</param>
    public Task<(ClusterNode Seed, ClusterNode[] Workers)> StartAsync(int workers, Launch launch, params string[] settings) =>
        StartAsync(Launch.Elastic, [.. Enumerable.Repeat(launch, workers)], settings);

    /// <summary>Starts one seed and some workers, and the run on them.</summary>
    /// <param name="settings">"key=value", on top of the configuration.</param>
    public async Task<(ClusterNode Seed, ClusterNode[] Workers)> StartAsync(
        Launch seedLaunch, Launch[] workers, params string[] settings)
    {
        var seed = Seed("seed", launch: seedLaunch);
        await StartAsync(seed);
        ClusterNode[] nodes = [.. workers.Select((launch, i) => Worker($"{(char)('a' + i)}", launch: launch))];
        await StartAsync(nodes);
        await StartRunAsync(settings);
        return (seed, nodes);
    }

    /// <summary>Starts the run.</summary>
    /// <param name="settings">"key=value", on top of the configuration.</param>
    public Task StartRunAsync(params string[] settings) => StartRunAsync(Run, Files.ClusterConfig, Files.Corpus, settings);

    /// <summary>Waits until that many rounds are committed.</summary>
    public Task RoundAsync(int round) => UntilAsync($"round {round} was committed", () => Round >= round);

    /// <summary>Waits for the end of the run.</summary>
    /// <returns>The fingerprint.</returns>
    public async Task<string> FinishedAsync()
    {
        await UntilAsync("the run was finished", () => Phase == "finished");
        var (code, output, error) = await PbmAsync("run", "status", "-n", Run, "--json");
        Assert.True(code == 0, error);
        var run = JsonDocument.Parse(output).RootElement;
        Assert.Equal("finished", run.GetProperty("phase").GetString());
        return run.GetProperty("fingerprint").GetString()!;
    }

    /// <summary>Waits for the end of the run, then compares its fingerprint with an undisturbed one's and proves its journal.</summary>
    /// <param name="auditor">A seed that has the run's corpus.</param>
    /// <param name="settings">As the run was started with; only those that change the weights.</param>
    /// <returns>What has happened to the run.</returns>
    public async Task<IReadOnlyList<RunEvent>> SameAsUndisturbedAsync(ClusterNode auditor, params string[] settings) =>
        await ProvenAsync(auditor, await Undisturbed.FingerprintAsync(settings));

    /// <summary>Waits for the end of the run, then compares its fingerprint with this one and proves its journal.</summary>
    /// <param name="auditor">A seed that has the run's corpus.</param>
    /// <returns>What has happened to the run.</returns>
    public async Task<IReadOnlyList<RunEvent>> ProvenAsync(ClusterNode auditor, string fingerprint)
    {
        Assert.Equal(fingerprint, await FinishedAsync());
        await Task.WhenAll(Nodes.Where(n => n.IsUp).Select(n => n.EndAsync()));
        await Here.AuditAsync([Run, "--data-dir", auditor.DataDir, .. Database is null ? Array.Empty<string>() : ["--database", Database]]);
        return await JournalAsync(auditor);
    }

    /// <summary>True once a seed has all of the run's corpus.</summary>
    public static bool HasCorpus(ClusterNode seed) => seed.Log.Lines.Any(l => l.Contains("is whole here", StringComparison.Ordinal));

    /// <summary>What has happened so far to the newest run of a name.</summary>
    /// <param name="seed">Has, or had, the database.</param>
    public async Task<IReadOnlyList<RunEvent>> JournalAsync(ClusterNode seed, string name = Run)
    {
        var database = DatabaseAddress.Parse(Database, seed.DataDir);
        var runs = await new RunList(database).ReadAsync(TestContext.Current.CancellationToken);
        return runs.LastOrDefault(r => r.Name == name) is { } newest
            ? await JournalReader.ReadAsync(database, newest.Run, TestContext.Current.CancellationToken)
            : [];
    }

    public override string Describe() => $"the run, as seen last: {_watch.Latest}{Environment.NewLine}{base.Describe()}";

    public override async ValueTask DisposeAsync()
    {
        await _watch.DisposeAsync();
        await base.DisposeAsync();
        Files.Dispose();
    }
}
