// Measures the matrix products of GPT-2 124M as a share of the processor's peak of fused multiply-adds: see README.md.
using Elastic.Bench.Kernels;
using Elastic.Kernels;

string Option(string name, string fallback) => Array.IndexOf(args, "--" + name) is >= 0 and var i ? args[i + 1] : fallback;

var isTiny = args.Contains("--tiny");
var threads = int.Parse(Option("threads", "2"));
var repetitions = int.Parse(Option("repetitions", isTiny ? "1" : "20"));
var only = Option("only", "");
int[] rows = isTiny ? [32] : [.. Option("rows", "256,512,1024").Split(',').Select(int.Parse)];
var (width, vocabulary) = isTiny ? (64, 257) : (768, 50257);

var cases = new List<ProductCase>();
foreach (var r in rows)
{
    foreach (var pass in Enum.GetValues<Pass>())
    {
        var parts = int.Parse(Option("parts", $"{Math.Max(1, r / 256)}"));
        cases.Add(new ProductCase("qkv", pass, r, width, 3 * width, false, parts));
        cases.Add(new ProductCase("projection", pass, r, width, width, false, parts));
        cases.Add(new ProductCase("up", pass, r, width, 4 * width, false, parts));
        cases.Add(new ProductCase("down", pass, r, 4 * width, width, false, parts));
        cases.Add(new ProductCase("head", pass, r, width, vocabulary, true, parts));
    }
}
cases.RemoveAll(c => !c.Name.Contains(only, StringComparison.OrdinalIgnoreCase));
using var team = new ThreadTeam(threads);
var clock = new Clock(args.Contains("--processor-time"), team);
Products.Reserve(team, cases.Max(c => c.WorkspaceBytes(threads)));
// Twice what a large third-level cache holds, at least.
using var changing = Filled(Math.Max(cases.Max(c => c.Floats.Changing), isTiny ? 0 : 64 << 20));
using var staying = Filled(cases.Max(c => c.Floats.Staying));

var peak = 0.0;
for (var repetition = 0; repetition < repetitions; repetition++)
{
    foreach (var c in cases)
    {
        peak = Math.Max(peak, MeasurePeak(team, clock, isTiny ? 10_000 : 200_000));
        // Once for the caches of what stays, then measured.
        c.Run(team, changing, staying, clock);
        c.Run(team, changing, staying, clock);
    }
}
Console.WriteLine($"peak of {threads} threads with {Products.Best}: {peak / 1e9:F0} GFLOP/s");
foreach (var r in rows)
{
    foreach (var c in cases.Where(c => c.Name.EndsWith($" {r}", StringComparison.Ordinal)))
        Console.WriteLine($"{c.Name}  {c.BestRate / 1e9,6:F0} GFLOP/s  {c.BestRate / peak,6:P1}");
    var together = cases.Where(c => c.Name.EndsWith($" {r}", StringComparison.Ordinal)).ToList();
    // A step has twelve layers and one head.
    double Weight(ProductCase c) => c.Name.StartsWith("head", StringComparison.Ordinal) ? 1 : 12;
    var share = together.Sum(c => Weight(c) * c.Operations) / together.Sum(c => Weight(c) * c.Operations / c.BestRate) / peak;
    Console.WriteLine($"all products of a step, {r} rows  {share:P1}");
}

static unsafe NativeBuffer Filled(long floats)
{
    var buffer = new NativeBuffer(floats * sizeof(float));
    for (long i = 0, n = buffer.Bytes / sizeof(float); i < n; i++)
        buffer.Floats[i] = ((i * 7919) % 1021 - 510) * 1e-3f;
    return buffer;
}

static double MeasurePeak(ThreadTeam team, Clock clock, int steps)
{
    var begun = clock.Seconds;
    team.Run(new PeakWork(steps), team.Threads);
    return team.Threads * FmaPeak.Operations(steps) / (clock.Seconds - begun);
}
