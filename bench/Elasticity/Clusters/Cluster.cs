using System.Globalization;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Bench.Elasticity.Clusters;

/// <summary>A cluster whose seeds share one SQLite file, the run that it works on, and when that committed its rounds.</summary>
internal sealed class Cluster : ElasticCluster
{
    private readonly string _folder;

    public Cluster(string folder) : this(Path.Combine(folder, $"elastic-bench-{Guid.NewGuid():N}"), "journal.db")
    {
    }

    private Cluster(string folder, string journal) : base(folder, new Wait(TimeSpan.FromMinutes(5), TimeSpan.FromMilliseconds(20)))
    {
        _folder = folder;
        Directory.CreateDirectory(folder);
        Database = $"sqlite:{Path.Combine(folder, journal)}";
        Journal = new JournalTimes(Path.Combine(folder, journal));
    }

    public JournalTimes Journal { get; }

    /// <summary>A file or a folder beside the data directories.</summary>
    public string PathOf(string name) => Path.Combine(_folder, name);

    /// <summary>Starts seeds one after the other.</summary>
    public async Task StartSeedsAsync(int count)
    {
        for (var i = 0; i < count; i++)
            await StartAsync(Seed(Name("seed", i), more: KnownSeeds()));
    }

    /// <summary>Starts workers and waits until they are up.</summary>
    public Task StartWorkersAsync(int count, string devices) => StartAsync([.. Enumerable.Range(0, count).Select(_ => AddWorker(devices))]);

    /// <summary>A worker that is not started yet.</summary>
    public ClusterNode AddWorker(string devices, Launch? launch = null) => Worker(Name("worker", Workers.Count), devices, launch);

    /// <summary>Starts the run, or goes on with it, and waits until its first round is committed.</summary>
    public async Task StartRunAsync(BenchRun run)
    {
        var file = Path.Combine(_folder, "bench.conf");
        await File.WriteAllTextAsync(file, run.Configuration);
        await StartRunAsync(BenchRun.Name, file, MadeUpText.Write(Path.Combine(_folder, "text"), files: 64, words: 4000));
        await CommitAfterAsync(DateTime.MinValue);
    }

    /// <summary>Stops the run until it is started again, so that another cluster has the machine for itself.</summary>
    public async Task StopRunAsync()
    {
        await PbmAsync("run", "stop", "-n", BenchRun.Name);
        await UntilAsync("the run was stopped", async () =>
            await LookAsync("run", "status", "-n", BenchRun.Name) is [var run] && run.GetProperty("phase").GetString() == "stopped");
    }

    /// <summary>Waits for the first commit that was stored after a moment.</summary>
    public async Task<(DateTime At, RunEvent.RoundCommitted Commit)> CommitAfterAsync(DateTime moment)
    {
        IEnumerable<(DateTime At, RunEvent.RoundCommitted Commit)> Later() => Journal.Commits().Where(c => c.At > moment);
        await UntilAsync("a round was committed", () => Later().Any());
        return Later().First();
    }

    /// <summary>True when all seeds are members in good standing.</summary>
    public async Task<bool> IsWholeAsync()
    {
        if (await LookAsync("cluster", "show") is not [var cluster])
            return false;
        var members = cluster.GetProperty("members").EnumerateArray().ToList();
        return Seeds.All(s => members.Exists(m => m.GetProperty("address").GetString() == s.Endpoint
            && m.GetProperty("status").GetString() == "up" && m.GetProperty("reachable").GetBoolean()));
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(_folder, true);
    }

    private static string Name(string role, int number) => string.Create(CultureInfo.InvariantCulture, $"{role}-{number}");
}
