using System.Diagnostics;
using System.Text.Json;
using Elastic.Messages.Runs;

namespace Elastic.Bench.Elasticity.Clusters;

/// <summary>Seeds and workers as processes on the loopback, and the run that they work on. What is waited for has a deadline.</summary>
internal sealed class Cluster : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    private readonly Wire _wire = new();
    private readonly List<ClusterNode> _seeds = [];
    private readonly List<ClusterNode> _workers = [];
    private readonly string _folder;
    private readonly string _database;

    public Cluster(string folder)
    {
        _folder = Path.Combine(folder, $"elastic-bench-{Guid.NewGuid():N}");
        _database = Path.Combine(_folder, "journal.db");
        Directory.CreateDirectory(Path.Combine(_folder, "text"));
        for (var i = 0; i < 64; i++)
            File.WriteAllText(Path.Combine(_folder, "text", $"{i:D2}.txt"), string.Join(' ', Enumerable.Range(0, 4000).Select(w => $"{(i * 10000L + w) * 2654435761 % 9973:x}")));
        Journal = new JournalTimes(_database, _wire.Serializer);
    }

    public JournalTimes Journal { get; }

    public IReadOnlyList<ClusterNode> Seeds => _seeds;

    public IReadOnlyList<ClusterNode> Workers => _workers;

    /// <summary>Starts seeds one after the other; all share one SQLite file.</summary>
    public async Task StartSeedsAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            var seed = new ClusterNode("seed", Path.Combine(_folder, $"seed-{i}"),
                ["--devices", "none", "--database", $"sqlite:{_database}", .. Known()]);
            _seeds.Add(seed);
            seed.Launch();
            await UpAsync(seed);
        }
    }

    /// <summary>Starts workers and waits until they are up.</summary>
    public async Task StartWorkersAsync(int count, string devices)
    {
        var workers = Enumerable.Range(0, count).Select(_ => AddWorker(devices)).ToList();
        workers.ForEach(w => w.Launch());
        await UpAsync([.. workers]);
    }

    /// <summary>A worker that is not started yet.</summary>
    public ClusterNode AddWorker(string devices)
    {
        var worker = new ClusterNode("worker", Path.Combine(_folder, $"worker-{_workers.Count}"), ["--devices", devices, .. Known()]);
        _workers.Add(worker);
        return worker;
    }

    /// <summary>Starts the run and waits until its first round is committed.</summary>
    public async Task StartRunAsync(BenchRun run)
    {
        var file = Path.Combine(_folder, "bench.conf");
        await File.WriteAllTextAsync(file, run.Configuration);
        await PbmAsync("run", "start", "-n", BenchRun.Name, "-c", file, "-d", Path.Combine(_folder, "text"));
        await CommitAfterAsync(DateTime.MinValue);
    }

    public Task UpAsync(params IReadOnlyList<ClusterNode> nodes) => UntilAsync("the nodes are up", () => nodes.All(n => n.IsUp()));

    /// <summary>Waits for the first commit that was stored after a moment.</summary>
    public async Task<(DateTime At, RunEvent.RoundCommitted Commit)> CommitAfterAsync(DateTime moment)
    {
        IEnumerable<(DateTime At, RunEvent.RoundCommitted Commit)> Later() => Journal.Commits().Where(c => c.At > moment);
        await UntilAsync("a round is committed", () => Later().Any());
        return Later().First();
    }

    /// <summary>Waits until something is true, and looks often.</summary>
    /// <exception cref="TimeoutException">It did not become true; says what the nodes said.</exception>
    public async Task UntilAsync(string what, Func<bool> condition)
    {
        var began = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(began) > Deadline)
                throw new TimeoutException($"{Deadline.TotalMinutes} minutes passed before {what}:{Environment.NewLine}" +
                                           string.Join(Environment.NewLine, _seeds.Concat(_workers).Select(n => n.Said)));
            await Task.Delay(Look);
        }
    }

    /// <summary>The seed on which the run is supervised; null while the supervisors are moving.</summary>
    public async Task<ClusterNode?> SupervisorAsync()
    {
        var cluster = JsonDocument.Parse(await PbmAsync("cluster", "show", "--json")).RootElement;
        return cluster.GetProperty("supervisor").GetString() is { } address
            ? _seeds.Find(s => s.Endpoint == address)
            : null;
    }

    /// <summary>True when all seeds are members in good standing.</summary>
    public async Task<bool> IsWholeAsync()
    {
        var members = JsonDocument.Parse(await PbmAsync("cluster", "show", "--json")).RootElement.GetProperty("members").EnumerateArray().ToList();
        return _seeds.All(s => members.Exists(m => m.GetProperty("address").GetString() == s.Endpoint
            && m.GetProperty("status").GetString() == "up" && m.GetProperty("reachable").GetBoolean()));
    }

    public void Dispose()
    {
        foreach (var node in _workers.Concat(_seeds))
            node.Dispose();
        _wire.Dispose();
        Directory.Delete(_folder, true);
    }

    // Asks the first seed that runs.
    private async Task<string> PbmAsync(params string[] words)
    {
        using var pbm = new TimedProcess("pbm.dll", [_seeds.First(s => s.PbmEndpoint.Length > 0 && !s.HasEnded).PbmEndpoint, .. words]);
        var code = await pbm.EndAsync(Deadline);
        return code == 0 ? pbm.Said : throw new InvalidOperationException($"pbm {string.Join(' ', words)} ended with {code}: {pbm.Said}");
    }

    private string[] Known() => [.. _seeds.SelectMany(s => new[] { "--seed", s.Endpoint })];
}
