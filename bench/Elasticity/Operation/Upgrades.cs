using Elastic.Bench.Elasticity.Clusters;
using Elastic.Testing;

namespace Elastic.Bench.Elasticity.Operation;

/// <summary>A cluster whose processes are stopped and started again, as for another version of Elastic: until its run goes on.</summary>
internal sealed class Upgrades(Options options)
{
    public async Task RunAsync()
    {
        var turns = options.Number("turns", 5);
        var run = new BenchRun(2, options.Number("inner-steps", 40));
        Samples seed = new(), all = new(), undisturbed = new();
        await using var cluster = new Cluster(options.Folder);
        await cluster.StartSeedsAsync(1);
        await cluster.StartWorkersAsync(2, "cpu:1");
        await cluster.StartRunAsync(run);
        for (var turn = 0; turn < turns; turn++)
        {
            var quiet = DateTime.UtcNow;
            var first = await cluster.CommitAfterAsync(quiet);
            undisturbed.Add(((await cluster.CommitAfterAsync(first.At)).At - first.At).TotalSeconds);
            seed.Add(await RestartAsync(cluster, cluster.Seeds));
            all.Add(await RestartAsync(cluster, cluster.Nodes));
            Report.Turn(turn, turns, all);
        }

        Console.WriteLine($"nodes are stopped and started again (stop, replace, start): seconds; medians of {turns} (quartiles)");
        Console.WriteLine($"1 seed, 2 workers of 1 device, {Environment.ProcessorCount} cores, {run}");
        Report.Row("the only seed: from SIGTERM to the next commit", seed);
        Report.Row("all nodes at once: from SIGTERM to the next commit", all);
        Report.Row("for comparison: from commit to commit, undisturbed", undisturbed);
    }

    private static async Task<double> RestartAsync(Cluster cluster, IReadOnlyList<ClusterNode> nodes)
    {
        var asked = DateTime.UtcNow;
        await Task.WhenAll(nodes.Select(n => n.LeaveAsync()));
        var stopped = DateTime.UtcNow;
        // A worker waits for its seed.
        foreach (var node in nodes)
            node.Launch();
        await cluster.JoinedAsync(nodes);
        return ((await cluster.CommitAfterAsync(stopped)).At - asked).TotalSeconds;
    }
}
