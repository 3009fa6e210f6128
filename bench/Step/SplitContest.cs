using Elastic.Messages.Settings;

namespace Elastic.Step;

/// <summary>
/// Steps of one network on the same number of threads, in turns: one device that has them all, devices that share each layer, stages of a
/// pipeline, and devices that take micro-batches by themselves. And of the pipeline, how long its stages wait by their own clocks, and what
/// they copied over the cuts, beside the planner's formulas.
/// </summary>
internal static class SplitContest
{
    /// <param name="open">Makes the network on so many devices of so many threads.</param>
    /// <param name="devices">Of a split, each of so many threads.</param>
    /// <param name="rounds">Turns that count, after one that warms up.</param>
    /// <param name="steps">Of each turn.</param>
    public static void Run(
        Func<int, int, ReplicaSplit, Ours> open, int devices, int threads, int rounds, int steps, TextWriter output)
    {
        var ways = new List<Way> { new($"one device, {devices * threads} threads", open(1, devices * threads, ReplicaSplit.None)) };
        try
        {
            ReplicaSplit[] splits = devices > 1 ? [new ReplicaSplit(devices, 1), new ReplicaSplit(1, devices)] : [];
            foreach (var split in splits.Where(s => ReplicaSplit.TryParse($"{s}") is not null))
            {
                var way = new Way($"{split}", open(devices, threads, split));
                if (way.Step.Plan.InUse.Notice is { } why)
                {
                    output.WriteLine($"{split} is left out: {why}");
                    way.Step.Dispose();
                }
                else
                    ways.Add(way);
            }
            ways.Add(new Way($"{devices} devices, a micro-batch each", open(devices, threads, ReplicaSplit.None)));
            for (var round = -1; round < rounds; round++)
                foreach (var way in ways)
                    way.Measure(steps, counts: round >= 0);
            Print(ways, rounds, steps, output);
        }
        finally
        {
            ways.ForEach(w => w.Step.Dispose());
        }
    }

    private static void Print(List<Way> ways, int rounds, int steps, TextWriter output)
    {
        foreach (var way in ways)
        {
            var ratios = way.Seconds.Zip(ways[0].Seconds, (s, first) => s / first).ToList();
            output.WriteLine(
                $"{way.Name,-30} {Quantile(way.Seconds, 0.5) / steps * 1000,7:F1} ms/step   {Quantile(ratios, 0.5):F2}x   "
                + $"median of {rounds} turns of {steps} steps; quartiles {Quantile(ratios, 0.25):F2} to {Quantile(ratios, 0.75):F2}");
        }
        foreach (var (way, plan) in ways.Select(w => (w, w.Step.Plan)).Where(w => w.Plan.InUse.Stages > 1))
        {
            var waits = Enumerable.Range(0, way.Waits[0].Length).Select(s => way.Waits.ConvertAll(w => w[s])).ToList();
            // Where stages differ, the others wait for the largest: the busiest one shows the schedule's own waits.
            var busiest = way.Waits.ConvertAll(w => w.Min());
            output.WriteLine(
                $"{way.Name}: stages wait {string.Join(", ", waits.Select(w => $"{Quantile(w, 0.5):P1}"))} of both passes; "
                + $"all on average {Quantile(way.Waits.ConvertAll(w => w.Average()), 0.5):P1}, the busiest "
                + $"{Quantile(busiest, 0.5):P1} (quartiles {Quantile(busiest, 0.25):P1} to {Quantile(busiest, 0.75):P1}); "
                + $"(p-1)/(m+p-1) with p = {plan.InUse.Stages}, "
                + $"m = {plan.Units}: {plan.Bubble:P1}");
            output.WriteLine(
                $"{way.Name}: the stage that copies most copied {way.CopiedBytes / (double)way.Steps / (1 << 20):F3} MiB a step over cuts, "
                + $"by the formula {plan.CutBytes / (1 << 20):F3}");
        }
        foreach (var (way, plan) in ways.Select(w => (w, w.Step.Plan)).Where(w => w.Plan.InUse.Tensor > 1))
            output.WriteLine($"{way.Name}: each rank copies {plan.CutBytes / (1 << 20):F1} MiB of others a step, by the formula");
    }

    private static double Quantile(List<double> values, double share) =>
        values.Order().ElementAt((int)(share * (values.Count - 1)));

    // One way to compute the steps, and what was seen of it.
    private sealed class Way(string name, Ours step)
    {
        public string Name => name;

        public Ours Step => step;

        /// <summary>Of each turn.</summary>
        public List<double> Seconds { get; } = [];

        /// <summary>Of each turn, for each device: the share of the time of both passes in which it did nothing.</summary>
        public List<double[]> Waits { get; } = [];

        /// <summary>Over cuts, in all steps, of the stage that copies most.</summary>
        public long CopiedBytes => step.CopiedBytes();

        public int Steps { get; private set; }

        public void Measure(int steps, bool counts)
        {
            Array.Clear(step.PhaseSeconds);
            Array.Clear(step.PassSeconds);
            var seconds = step.Run(steps);
            Steps += steps;
            if (!counts)
                return;
            Seconds.Add(seconds);
            Waits.Add([.. step.PassSeconds.Select(busy => 1 - busy / step.PhaseSeconds[0])]);
        }
    }
}
