using Elastic.Bench.Elasticity.Clusters;

namespace Elastic.Bench.Elasticity.Operation;

/// <summary>From SIGTERM to the end of a worker's process, which has handed over its replica in the middle of a round.</summary>
internal sealed class LeaveTimes(Options options)
{
    public async Task RunAsync()
    {
        int turns = options.Number("turns", 5), budget = options.Number("budget", 12);
        // One more than the worker that stays has devices: the one that leaves takes it at once.
        var run = new BenchRun(3, options.Number("inner-steps", 200))
        {
            Layers = options.Number("layers", 4),
            Width = options.Number("width", 128),
            Vocabulary = options.Number("vocabulary", 257),
        };
        var (seconds, handedOver) = (new Samples(), 0);
        await using var cluster = new Cluster(options.Folder);
        await cluster.StartSeedsAsync(1);
        await cluster.StartAsync(cluster.AddWorker("cpu:2"));
        await cluster.StartRunAsync(run);
        for (var turn = 0; turn < turns; turn++)
        {
            var leaver = cluster.Worker($"leaver-{turn}", "cpu:1", null, "--set", $"node.leave-budget={budget}");
            await cluster.StartAsync(leaver);
            await cluster.UntilAsync("it takes steps", () => leaver.Stepped.Count > 0);
            var asked = DateTime.UtcNow;
            await leaver.LeaveAsync();
            seconds.Add((DateTime.UtcNow - asked).TotalSeconds);
            handedOver += leaver.Said.Contains("handed over", StringComparison.Ordinal) ? 1 : 0;
            Report.Turn(turn, turns, seconds);
        }

        Console.WriteLine($"a worker is asked to leave in the middle of a round: seconds, medians of {turns} (quartiles)");
        Console.WriteLine($"1 seed, 1 worker of 2 devices and the one that leaves, node.leave-budget = {budget}, "
            + $"{Environment.ProcessorCount} cores, {run}");
        Console.WriteLine($"state of its replica: {3 * sizeof(float) * run.Parameters / 1e6:F1} MB");
        Report.Row($"SIGTERM to the end of its process (aim: < {budget})", seconds);
        Console.WriteLine($"  turns in which it handed its work over: {handedOver} of {turns}");
    }
}
