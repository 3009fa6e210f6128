using System.Diagnostics;
using Elastic.Bench.Elasticity.Clusters;
using Elastic.Testing;

namespace Elastic.Bench.Elasticity.Operation;

/// <summary>
/// From a command's last key to its answer while a run is at work: in one process pbm that goes on, as at its prompt, and with a process of
/// its own.
/// </summary>
internal sealed class CommandRoundTrips(Options options)
{
    public async Task RunAsync()
    {
        var turns = options.Number("turns", 100);
        var run = new BenchRun(1, options.Number("inner-steps", 40));
        await using var cluster = new Cluster(options.Folder);
        if (options.Has("tls"))
            cluster.UseCertificates();
        await cluster.StartSeedsAsync(1);
        await cluster.StartWorkersAsync(1, "cpu:1");
        await cluster.StartRunAsync(run);
        var (seed, worker) = (cluster.Seeds[0], cluster.Workers[0]);
        // What looks, what asks the run's supervisor, what is stored in the journal, and what asks a node.
        (string What, string Command, Samples Milliseconds)[] commands =
        [
            ("run status", $"run status -n {BenchRun.Name}", new()),
            ("run set, which says what would change", $"run set -n {BenchRun.Name} -k optimizer.learning-rate -v 2e-4", new()),
            ("run priority, which is stored", $"run priority -n {BenchRun.Name} -p ", new()),
            ("node drain --undo, which asks the node", $"node drain -n {worker.Endpoint} --undo", new()),
        ];
        var process = new Samples();
        using var pbm = new PbmPrompt(seed.PbmEndpoint, cluster.PbmOptions(seed));
        for (var turn = 0; turn <= turns; turn++)
            foreach (var (_, command, milliseconds) in commands)
            {
                var began = Stopwatch.GetTimestamp();
                await pbm.AskAsync(command.EndsWith(' ') ? $"{command}{turn}" : command);
                // The first of each kind compiles its code, on both sides.
                if (turn > 0)
                    milliseconds.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            }

        for (var turn = 0; turn < Math.Min(turns, 10); turn++)
        {
            var began = Stopwatch.GetTimestamp();
            using var one = PbmPrompt.Run(seed.PbmEndpoint, cluster.PbmOptions(seed), "run", "status", "-n", BenchRun.Name);
            await one.EndAsync();
            process.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }

        Console.WriteLine($"commands while a run is at work: milliseconds, medians of {turns} (quartiles); "
            + (options.Has("tls") ? "mutual TLS" : "no certificates"));
        Console.WriteLine($"1 seed, 1 worker of 1 device, {Environment.ProcessorCount} cores, {run}");
        foreach (var (what, _, milliseconds) in commands)
            Report.Row($"{what} (aim: < 50)", milliseconds);
        Report.Row("run status by a process of its own, from start to end", process);
    }
}
