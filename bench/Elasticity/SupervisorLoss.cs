using Elastic.Bench.Elasticity.Clusters;
using Elastic.Testing;

namespace Elastic.Bench.Elasticity;

/// <summary>From the kill -9 of the seed that supervises the run to the next commit.</summary>
internal sealed class SupervisorLoss(Options options)
{
    private readonly Samples _moved = new(), _enlisted = new(), _committed = new(), _undisturbed = new();

    public async Task RunAsync()
    {
        int turns = options.Number("turns", 10), seeds = options.Number("seeds", 3), workers = options.Number("workers", 2);
        var run = new BenchRun(workers, options.Number("inner-steps", 40));
        await using var cluster = new Cluster(options.Folder);
        await cluster.StartSeedsAsync(seeds);
        await cluster.StartWorkersAsync(workers, "cpu:1");
        await cluster.StartRunAsync(run);
        for (var turn = 0; turn < turns; turn++)
        {
            await TakeTurnAsync(cluster, options.Seconds("quiet", 10));
            Report.Turn(turn, turns, _committed);
        }

        Console.WriteLine($"kill -9 of the seed that supervises: seconds until the run goes on; medians of {turns} (quartiles)");
        Console.WriteLine($"{seeds} seeds on one SQLite file, network preset lan, {workers} workers of 1 device, {run}");
        Report.Row("the run is supervised on another seed", _moved);
        Report.Row("the first node is known there", _enlisted);
        Report.Row("the next commit (aim: < 10)", _committed);
        Report.Row("for comparison: from commit to commit, undisturbed", _undisturbed);
    }

    private async Task TakeTurnAsync(Cluster cluster, TimeSpan quiet)
    {
        ClusterNode? victim = null;
        while (victim is null || !await cluster.IsWholeAsync())
            victim = await cluster.SupervisorAsync();
        var since = DateTime.UtcNow;
        await Task.Delay(quiet + TimeSpan.FromSeconds(2 * Random.Shared.NextDouble()));

        var killed = await victim.KillAsync();
        var before = cluster.Journal.Commits().Where(c => c.At > since && c.At <= killed).Select(c => c.At).ToList();
        foreach (var (earlier, later) in before.Zip(before.Skip(1)))
            _undisturbed.Add((later - earlier).TotalSeconds);

        var next = await cluster.CommitAfterAsync(killed);
        _committed.Add((next.At - killed).TotalSeconds);
        var others = cluster.Seeds.Where(s => s != victim).ToList();
        _moved.Add((others.SelectMany(s => s.Log.Supervises).Where(at => at > killed).Min() - killed).TotalSeconds);
        _enlisted.Add((others.SelectMany(s => s.Log.Enlisted).Where(at => at > killed).Min() - killed).TotalSeconds);
        victim.Launch();
        await cluster.JoinedAsync(victim);
    }
}
