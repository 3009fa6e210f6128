// Measures the matrix products of GPT-2 124M as a share of the processor's peak of fused multiply-adds: see README.md.
using Elastic.Bench.Kernels;
using Elastic.Kernels;

string Option(string name, string fallback) => Array.IndexOf(args, "--" + name) is >= 0 and var i ? args[i + 1] : fallback;

var isTiny = args.Contains("--tiny");
var threads = int.Parse(Option("threads", $"{Environment.ProcessorCount}"));
var repetitions = int.Parse(Option("repetitions", isTiny ? "1" : "20"));
int[] rows = isTiny ? [32] : [.. Option("rows", "256,512,1024").Split(',').Select(int.Parse)];
var (width, vocabulary, changing, peakSteps) = isTiny ? (64, 257, 0, 10_000) : (768, 50257, 64 << 20, 1_000_000);
if (int.Parse(Option("shared", "1")) is > 1 and var shared)
{
    foreach (var r in rows)
        PartsContest.Run(r, width, vocabulary, shared, threads, args.Contains("--processor-time"), changing, repetitions, Console.Out);
    return;
}
var cases = rows.SelectMany(r => ProductContest.Of(r, width, vocabulary, int.Parse(Option("parts", $"{Math.Max(1, r / 256)}"))))
    .Where(c => c.Name.Contains(Option("only", ""), StringComparison.OrdinalIgnoreCase)).ToList();

using var contest = new ProductContest(threads, args.Contains("--processor-time"), cases, changing, peakSteps);
for (var repetition = 0; repetition < repetitions; repetition++)
    contest.Measure();

Console.WriteLine($"peak of {threads} threads with {Products.Best}: {contest.Peak / 1e9:F0} GFLOP/s");
foreach (var r in rows)
{
    foreach (var c in cases.Where(c => c.Rows == r))
        Console.WriteLine($"{c.Name}  {contest.Rate(c) / 1e9,6:F0} GFLOP/s  {contest.Rate(c) / contest.Peak,6:P1}");
    Console.WriteLine($"all products of a step, {r} rows  {contest.StepRate(r) / contest.Peak:P1}");
}
