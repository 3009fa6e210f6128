namespace Elastic.Step;

/// <summary>Steps of one network under two optimizers, in turns: what their updates take, and whole steps.</summary>
internal static class OptimizerContest
{
    /// <param name="rounds">Turns that count, after one that warms up.</param>
    /// <param name="steps">Of each turn.</param>
    public static void Run((string Name, Ours Step) first, (string Name, Ours Step) second, int rounds, int steps)
    {
        var turns = new List<(Times First, Times Second)>();
        for (var round = 0; round <= rounds; round++)
        {
            var turn = (Turn(first.Step, steps), Turn(second.Step, steps));
            if (round > 0)
                turns.Add(turn);
        }
        foreach (var (what, of) in new (string, Func<Times, double>)[] { ("update", t => t.Update), ("step", t => t.Whole) })
        {
            var ratios = turns.ConvertAll(t => of(t.First) / of(t.Second));
            Console.WriteLine(
                $"{what,-7} {first.Name} {Quantile(turns.ConvertAll(t => of(t.First)), 0.5):F0} ms   "
                + $"{second.Name} {Quantile(turns.ConvertAll(t => of(t.Second)), 0.5):F0} ms   {Quantile(ratios, 0.5):F2}x   "
                + $"median of {rounds} turns of {steps} steps; quartiles {Quantile(ratios, 0.25):F2} to {Quantile(ratios, 0.75):F2}");
        }
    }

    private static Times Turn(Ours step, int steps)
    {
        Array.Clear(step.PhaseSeconds);
        var whole = step.Run(steps);
        return new Times(step.PhaseSeconds[2] * 1000 / steps, whole * 1000 / steps);
    }

    private static double Quantile(List<double> values, double share) => values.Order().ElementAt((int)(share * (values.Count - 1)));

    // Milliseconds a step.
    private sealed record Times(double Update, double Whole);
}
