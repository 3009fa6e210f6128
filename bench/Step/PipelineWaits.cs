namespace Elastic.Step;

/// <summary>
/// How long the stages of a pipeline wait, beside the formula; what goes over its cuts; and its steps beside those of one device that has
/// all of its threads.
/// </summary>
internal static class PipelineWaits
{
    public static void Run(Ours pipeline, Func<Ours> open, int rounds, int steps)
    {
        var plan = pipeline.Plan;
        pipeline.Run(2);
        var turns = new List<(double Seconds, double[] Busy)>();
        for (var round = 0; round < rounds; round++)
        {
            var before = pipeline.BusySeconds;
            var seconds = pipeline.Run(steps);
            turns.Add((seconds, [.. pipeline.BusySeconds.Zip(before, (b, a) => b - a)]));
        }
        // Where stages differ, the others wait for the largest: the busiest one shows the schedule's own waits.
        var waits = turns.ConvertAll(t => 1 - t.Busy.Max() / t.Seconds);
        Console.WriteLine(
            $"pipeline of {plan.InUse.Stages} stages, {plan.Units} units a step: the busiest device waits {Median(waits):P0} of the time, "
            + $"all on average {Median(turns.ConvertAll(t => 1 - t.Busy.Average() / t.Seconds)):P0}; by the formula {plan.Bubble:P0}");
        Console.WriteLine(
            $"over the cuts go {plan.CutBytes / (1 << 20):F1} MiB a step from the device that sends most, by the formula");
        using var one = open();
        one.Run(2);
        var ratios = new List<double>();
        for (var round = 0; round < rounds; round++)
            ratios.Add(pipeline.Run(steps) / one.Run(steps));
        Console.WriteLine(
            $"a step takes {Median(ratios):F2} times that of one device with all threads, median of {rounds} turns of {steps} steps");
    }

    private static double Median(List<double> values) => values.Order().ElementAt((values.Count - 1) / 2);
}
