using System.Net.Http.Headers;
using Elastic.Bench.Elasticity.Clusters;
using Elastic.Messages.Pbm;
using Elastic.Testing;

namespace Elastic.Bench.Elasticity.Operation;

/// <summary>
/// What people who look on take from those who compute: windows with <c>pbm run watch</c>, an open stream of the dashboard and scrapes of
/// both metrics take turns with windows without. Processor time for each step, since other programs may use the machine, too.
/// </summary>
internal sealed class CostOfWatching(Options options)
{
    private static readonly TimeSpan BetweenScrapes = TimeSpan.FromSeconds(5);

    private readonly Samples _worker = new(), _seedWatched = new(), _seedAlone = new(), _perStep = new();

    public async Task RunAsync()
    {
        var (turns, window) = (options.Number("turns", 20), options.Seconds("window", 10));
        var run = new BenchRun(1, options.Number("inner-steps", 100));
        await using var cluster = new Cluster(options.Folder);
        string seedOps = FreePort.Text(), workerOps = FreePort.Text(), dashboard = FreePort.Text();
        var seed = cluster.Seed("seed", null, null, "--ops-port", seedOps);
        seed.DashboardPort = dashboard;
        await cluster.StartAsync(seed);
        await cluster.StartAsync(cluster.Worker("worker", "cpu:1", null, "--ops-port", workerOps));
        await cluster.StartRunAsync(run);
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization =
            new AuthenticationHeaderValue("Bearer", (await File.ReadAllTextAsync(PbmToken.PathIn(seed.DataDir))).Trim());
        using var pbm = new PbmPrompt(seed.PbmEndpoint, cluster.PbmOptions(seed));
        for (var turn = 0; turn < turns; turn++)
        {
            // Whoever goes first in one turn goes last in the next.
            var watchedFirst = turn % 2 == 0;
            var first = await MeasureAsync(watchedFirst);
            var second = await MeasureAsync(!watchedFirst);
            var (watched, alone) = watchedFirst ? (first, second) : (second, first);
            _worker.Add(100 * (watched.Worker / alone.Worker - 1));
            _perStep.Add(1000 * alone.Worker);
            _seedWatched.Add(100 * watched.Seed);
            _seedAlone.Add(100 * alone.Seed);
            Report.Turn(turn, turns, _worker);
        }

        Console.WriteLine($"pbm run watch, a dashboard's stream and scrapes of metrics every {BetweenScrapes.TotalSeconds} s: processor "
            + $"time, windows of {window.TotalSeconds} s with and without in turns; medians of {turns} (quartiles)");
        Console.WriteLine($"1 seed, 1 worker of 1 device, {Environment.ProcessorCount} cores, {run}");
        Report.Row("the worker, for each step, more when watched, % (aim: < 1)", _worker);
        Report.Row("the same alone, ms", _perStep);
        Report.Row("the seed, of one core, when watched, %", _seedWatched);
        Report.Row("the seed, of one core, alone, %", _seedAlone);

        async Task<(double Worker, double Seed)> MeasureAsync(bool isWatched)
        {
            using var over = new CancellationTokenSource();
            using var watch = isWatched
                ? PbmPrompt.Run(seed.PbmEndpoint, cluster.PbmOptions(seed), "run", "watch", "-n", BenchRun.Name) : null;
            var looking = isWatched ? LookAsync(over.Token) : Task.CompletedTask;
            await Task.Delay(TimeSpan.FromSeconds(2));                 // what starts now is not what is measured
            var before = await TakeAsync();
            await Task.Delay(window);
            var after = await TakeAsync();
            await over.CancelAsync();
            await looking;
            return ((after.Worker - before.Worker) / (after.Steps - before.Steps), (after.Seed - before.Seed) / window.TotalSeconds);
        }

        async Task<(double Worker, double Seed, long Steps)> TakeAsync() => (
            SecondsOf(cluster.Workers[0]), SecondsOf(seed),
            (await pbm.AskAsync($"run status -n {BenchRun.Name}")).GetProperty("steps").GetInt64());

        async Task LookAsync(CancellationToken cancel)
        {
            try
            {
                using var stream = await http.GetStreamAsync(new Uri($"http://127.0.0.1:{dashboard}/api/v1/events"), cancel);
                var reading = stream.CopyToAsync(Stream.Null, cancel);
                while (!cancel.IsCancellationRequested)
                {
                    foreach (var port in new[] { seedOps, workerOps })
                        await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics"), cancel);
                    await Task.Delay(BetweenScrapes, cancel);
                }

                await reading;
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                // The window is over.
            }
        }
    }

    private static double SecondsOf(ClusterNode node)
    {
        var (user, kernel) = node.Process.ProcessorTime;
        return (user + kernel).TotalSeconds;
    }
}
