using Elastic.Bench.Elasticity.Clusters;

namespace Elastic.Bench.Elasticity;

/// <summary>
/// Tokens per second while a worker is killed in every window of a minute, against windows without, in turns within one run.
/// </summary>
internal sealed class ThroughputUnderKills(Options options)
{
    private readonly Samples _quiet = new(), _disturbed = new(), _share = new();

    public async Task RunAsync()
    {
        int turns = options.Number("turns", 10), workers = options.Number("workers", 3);
        TimeSpan window = options.Seconds("window", 60), away = options.Seconds("away", 10);
        // Two replicas for each device, so that two devices can share what the third one leaves.
        var run = new BenchRun(2 * workers, options.Number("inner-steps", 60));
        await using var cluster = new Cluster(options.Folder);
        await cluster.StartSeedsAsync(1);
        await cluster.StartWorkersAsync(workers, "cpu:1");
        await cluster.StartRunAsync(run);
        for (var turn = 0; turn < turns; turn++)
        {
            // The other way round each time, so that a drift of the machine meets both.
            var first = await TokensPerSecondAsync(cluster, window, turn % 2 == 0 ? null : away);
            var second = await TokensPerSecondAsync(cluster, window, turn % 2 == 0 ? away : null);
            var (quiet, disturbed) = turn % 2 == 0 ? (first, second) : (second, first);
            _quiet.Add(quiet);
            _disturbed.Add(disturbed);
            _share.Add(100 * disturbed / quiet);
            Report.Turn(turn, turns, _share);
        }

        Console.WriteLine($"kill -9 of a worker in every window of {window.TotalSeconds:0} s, back {away.TotalSeconds:0} s later: " +
                          $"tokens per second; medians of {turns} (quartiles)");
        Console.WriteLine($"1 seed, {workers} workers of 1 device, {Environment.ProcessorCount} cores, {run}");
        Report.Row("undisturbed", _quiet, "F0");
        Report.Row("with kills", _disturbed, "F0");
        Report.Row("share, % (aim: > 90)", _share, "F1");
    }

    // From a commit to the first one after the window.
    private static async Task<double> TokensPerSecondAsync(Cluster cluster, TimeSpan window, TimeSpan? away)
    {
        await cluster.JoinedAsync(cluster.Workers);
        var begin = await cluster.CommitAfterAsync(DateTime.UtcNow);
        if (away is { } pause)
        {
            await Task.Delay((window - pause) / 5 * Random.Shared.NextDouble());
            var victim = cluster.Workers[Random.Shared.Next(cluster.Workers.Count)];
            await victim.KillAsync();
            await Task.Delay(pause);
            victim.Launch();
        }

        var end = await cluster.CommitAfterAsync(begin.At + window);
        return (end.Commit.TokensSeen - begin.Commit.TokensSeen) / (end.At - begin.At).TotalSeconds;
    }
}
