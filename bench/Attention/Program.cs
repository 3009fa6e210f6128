// Attention against the peak of fused multiply-adds, and what a step does for each parameter against copying memory. Repetitions of
// everything take turns, and the best of each counts, because other programs on the machine only ever make one slower.
using Elastic.Bench.Attention;
using Elastic.Kernels;

var isTiny = args.Contains("--tiny");
var threads = Options.Number(args, "--threads", Environment.ProcessorCount);
var rounds = Options.Number(args, "--rounds", isTiny ? 2 : 20);
using var team = new ThreadTeam(threads);
var attention = new List<Contest>();
// A call lasts a millisecond or two: longer ones are seldom left alone by other programs.
var shapes = isTiny
    ? new (int, int, int, int, int, double)[] { (1, 64, 2, 2, 64, 0) }
    : [(1, 1024, threads, threads, 64, 0), (1, 1024, threads, threads, 128, 0), (1, 1024, 4 * threads, threads, 64, 0),
        (4, 256, 2 * threads, 2 * threads, 64, 0), (4, 64, 12, 12, 64, 0), (1, 1024, threads, threads, 64, 0.1)];
foreach (var (batch, tokens, heads, keyHeads, size, dropout) in shapes)
    attention.AddRange(AttentionContest.Of(team, batch, tokens, heads, keyHeads, size, dropout));
var memory = MemoryContest.Of(team, isTiny ? 2 : 500).ToList();

var peak = 0.0;
for (var round = 0; round < rounds; round++)
{
    peak = Math.Max(peak, threads * FmaPeak.Operations / Contest.Seconds(() => team.Run(default(FmaPeak), threads)));
    foreach (var contest in attention.Concat(memory))
        contest.Measure();
}
Console.WriteLine($"{LaneDispatch.Kind}, {threads} threads: {peak / 1e9:F0} GFLOP/s of fused multiply-adds");
foreach (var contest in attention)
    Console.WriteLine($"{contest.Name,-52} {contest.Best * 1e3,8:F2} ms  {contest.PerSecond / peak,6:P0} of the peak");
foreach (var contest in memory)
{
    Console.WriteLine(
        $"{contest.Name,-52} {contest.Best * 1e3,8:F2} ms  {contest.PerSecond / 1e9,5:F1} GB/s, "
        + $"{contest.PerSecond / memory[0].PerSecond,4:P0} of copying");
}

namespace Elastic.Bench.Attention
{
    internal static class Options
    {
        public static int Number(string[] args, string name, int otherwise)
        {
            var at = Array.IndexOf(args, name);
            return at < 0 ? otherwise : int.Parse(args[at + 1]);
        }
    }
}
