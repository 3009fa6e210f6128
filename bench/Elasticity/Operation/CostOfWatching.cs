using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using Elastic.Bench.Elasticity.Clusters;
using Elastic.Messages.Pbm;
using Elastic.Testing;

namespace Elastic.Bench.Elasticity.Operation;

/// <summary>
/// What people who look on take from those who compute: of three windows after one another one is watched, the middle one, by <c>pbm run
/// watch</c>, an open page of the dashboard and scrapes of both metrics. What drifts evenly is in both sides of that comparison. The other
/// two are compared with each other: that says what the instrument sees where there is nothing to see.
/// </summary>
internal sealed class CostOfWatching(Options options)
{
    private static readonly TimeSpan BetweenScrapes = TimeSpan.FromSeconds(5), BetweenRefreshes = TimeSpan.FromSeconds(4);

    private static readonly string[] OfThePage = ["losses?limit=5000", "rounds?limit=30", "replicas"];

    // What starts now is not what is measured, and the last scrape before a count of steps is over when they are counted.
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2), Quiet = TimeSpan.FromSeconds(1);

    private readonly Compared _process = new("processor time of the worker for a step"),
        _trainer = new("processor time of its thread that trains, for a step"), _wall = new("time from a step to the next"),
        _counted = new("what perf counts of the worker for a step");

    private readonly Samples _perStep = new(), _seedWatched = new(), _seedAlone = new();

    public async Task RunAsync()
    {
        var (turns, window) = (options.Number("turns", 30), options.Seconds("window", 5));
        // Rounds end outside of most windows.
        var run = new BenchRun(1, options.Number("inner-steps", 2000));
        var counter = options.Text("counter", "instructions:u");
        var cores = await CoresApart.PartAsync();
        await using var cluster = new Cluster(options.Folder);
        string seedOps = FreePort.Text(), workerOps = FreePort.Text(), dashboard = FreePort.Text();
        var seed = cluster.Seed("seed", null, null, "--ops-port", seedOps);
        seed.DashboardPort = dashboard;
        await cluster.StartAsync(seed);
        var worker = cluster.Worker("worker", "cpu:1", cores.Measured, "--ops-port", workerOps);
        await cluster.StartAsync(worker);
        await cluster.StartRunAsync(run);
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization =
            new AuthenticationHeaderValue("Bearer", (await File.ReadAllTextAsync(PbmToken.PathIn(seed.DataDir))).Trim());
        for (var turn = 0; turn < turns; turn++)
        {
            var before = await MeasureAsync(isWatched: false);
            var watched = await MeasureAsync(isWatched: true);
            var after = await MeasureAsync(isWatched: false);
            // The first of the two is the other one in every second turn, so that what drifts goes both ways.
            var (one, other) = turn % 2 == 0 ? (before, after) : (after, before);
            _process.Add(watched.ProcessMs, one.ProcessMs, other.ProcessMs);
            _trainer.Add(watched.TrainerMs, one.TrainerMs, other.TrainerMs);
            _wall.Add(watched.WallMs, one.WallMs, other.WallMs);
            if (watched.Counted is { } most && one.Counted is { } first && other.Counted is { } second)
                _counted.Add(most, first, second);
            _perStep.Add(one.ProcessMs);
            _seedWatched.Add(100 * watched.Seed);
            _seedAlone.Add(100 * one.Seed);
            Report.Turn(turn, turns, _process.Watched);
        }

        Console.WriteLine($"pbm run watch, an open page of the dashboard and scrapes of metrics every {BetweenScrapes.TotalSeconds} s in "
            + $"the middle one of three windows of {window.TotalSeconds} s; medians of {turns} (quartiles)");
        Console.WriteLine($"1 seed, 1 worker of 1 device, {cores.Text}, {run}");
        foreach (var compared in new[] { _process, _trainer, _wall })
            compared.Say();
        if (_counted.IsEmpty)
            Console.WriteLine($"  {counter}: perf counts none here");
        else
            _counted.Say();
        Report.Row("the worker's processor time for a step, alone, ms", _perStep);
        Report.Row("the seed, of one core, when watched, %", _seedWatched);
        Report.Row("the seed, of one core, alone, %", _seedAlone);

        async Task<Window> MeasureAsync(bool isWatched)
        {
            using var over = new CancellationTokenSource();
            using var watch = isWatched
                ? PbmPrompt.Run(seed.PbmEndpoint, cluster.PbmOptions(seed), "run", "watch", "-n", BenchRun.Name) : null;
            var following = isWatched ? FollowAsync(over.Token) : Task.CompletedTask;
            await Task.Delay(Settling);
            var began = await LookAsync();
            var looking = isWatched ? RefreshAsync(Stopwatch.GetTimestamp(), over.Token) : Task.CompletedTask;
            var counting = new Instructions(counter).CountAsync(worker.Process.Id, window);
            await Task.Delay(window);
            var counted = await counting;
            await looking;
            var ended = await LookAsync();
            await over.CancelAsync();
            await following;
            return Window.Of(began, ended, counted);
        }

        // The same in all windows: a look costs the worker a scrape.
        async Task<Look> LookAsync()
        {
            var (user, kernel) = seed.Process.ProcessorTime;
            var steps = StepsIn(await http.GetStringAsync(new Uri($"http://127.0.0.1:{workerOps}/metrics")));
            return new Look(steps, Stopwatch.GetTimestamp(), ThreadTimes.Of(worker.Process.Id), (user + kernel).TotalSeconds);
        }

        async Task FollowAsync(CancellationToken cancel)
        {
            try
            {
                using var stream = await http.GetStreamAsync(new Uri($"http://127.0.0.1:{dashboard}/api/v1/events"), cancel);
                await stream.CopyToAsync(Stream.Null, cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                // The window is over.
            }
        }

        // What a scraper asks for, and the page of a run whenever something has happened.
        async Task RefreshAsync(long began, CancellationToken cancel)
        {
            string[] metrics = [.. new[] { seedOps, workerOps }.Select(port => $"http://127.0.0.1:{port}/metrics")];
            string[] page = [.. OfThePage.Select(path => $"http://127.0.0.1:{dashboard}/api/v1/runs/{BenchRun.Name}/{path}")];
            var due = Every(BetweenScrapes, metrics).Concat(Every(BetweenRefreshes, page)).OrderBy(d => d.At);
            foreach (var (at, addresses) in due)
            {
                if (at - Stopwatch.GetElapsedTime(began) is var wait && wait > TimeSpan.Zero)
                    await Task.Delay(wait, cancel);
                foreach (var address in addresses)
                    await http.GetStringAsync(new Uri(address), cancel);
            }
        }

        IEnumerable<(TimeSpan At, string[] Addresses)> Every(TimeSpan between, string[] addresses)
        {
            for (var at = Quiet; at <= window - Quiet; at += between)
                yield return (at, addresses);
        }
    }

    // Of all runs: "elastic_step_seconds_count{run="…"} 1234 time".
    private static double StepsIn(string metrics) => metrics.Split('\n')
        .Where(line => line.StartsWith("elastic_step_seconds_count", StringComparison.Ordinal))
        .Sum(line => double.Parse(line[(line.LastIndexOf('}') + 1)..].Trim().Split(' ')[0], CultureInfo.InvariantCulture));

    private sealed record Look(double Steps, long At, ThreadTimes Worker, double SeedSeconds);

    // Milliseconds, and what the counter says, for a step; the seed's share of a core.
    private sealed record Window(double ProcessMs, double TrainerMs, double WallMs, double? Counted, double Seed)
    {
        public static Window Of(Look began, Look ended, double? counted)
        {
            var (steps, passed) = (ended.Steps - began.Steps, Stopwatch.GetElapsedTime(began.At, ended.At));
            var (all, trainer) = ended.Worker.Since(began.Worker);
            return new Window(
                all / steps, trainer / steps, passed.TotalMilliseconds / steps, counted / steps,
                (ended.SeedSeconds - began.SeedSeconds) / passed.TotalSeconds);
        }
    }

    // How much more a figure is in the watched window than in those beside it, and in one of these than in the other, percent.
    private sealed class Compared(string what)
    {
        private readonly Samples _alone = new();

        public Samples Watched { get; } = new();

        public bool IsEmpty => double.IsNaN(_alone.Last);

        public void Add(double watched, double one, double other)
        {
            Watched.Add(100 * (watched / ((one + other) / 2) - 1));
            _alone.Add(100 * (one / other - 1));
        }

        public void Say()
        {
            Report.Row($"{what}: watched, % (aim: < 1)", Watched);
            Report.Row($"{"",8}alone against alone, % (0 within the quartiles)", _alone);
        }
    }
}
