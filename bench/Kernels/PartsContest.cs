namespace Elastic.Bench.Kernels;

/// <summary>
/// What it costs that the model cuts sums into parts (G), whether devices share them or not: each product with them and as one chain, in
/// turns.
/// </summary>
internal static class PartsContest
{
    /// <param name="shared">G.</param>
    /// <param name="changing">See <see cref="ProductContest"/>.</param>
    /// <param name="rounds">Turns that count, after one that warms up.</param>
    public static void Run(
        int rows, int width, int vocabulary, int shared, int threads, bool countsProcessorTime, long changing, int rounds,
        TextWriter output)
    {
        List<ProductCase> plain = [.. ProductContest.Of(rows, width, vocabulary, 1)];
        List<ProductCase> parted = [.. ProductContest.Of(rows, width, vocabulary, 1, shared)];
        List<ProductCase> inTurns = [.. plain.Zip(parted, (a, b) => new[] { a, b }).SelectMany(c => c)];
        using var contest = new ProductContest(threads, countsProcessorTime, inTurns, changing, peakSteps: 1000);
        for (var round = -1; round < rounds; round++)
        {
            contest.Measure();
            if (round < 0)
                contest.Cases.ToList().ForEach(c => c.Rates.Clear());
        }
        foreach (var (one, many) in plain.Zip(parted).Where(p => p.Second.IsShared))
            Print(many.Name, [.. one.Rates.Zip(many.Rates, (a, b) => a / b)]);
        // Of each repetition: twelve layers and one head.
        var repetitions = Enumerable.Range(0, plain[0].Rates.Count);
        Print($"all products, {rows} rows", [.. repetitions.Select(i => Seconds(parted, i) / Seconds(plain, i))]);

        void Print(string name, List<double> ratios) => output.WriteLine(
            $"{name,-32} with {shared} parts takes {Quantile(ratios, 0.5):F3} times as long as one chain; quartiles "
            + $"{Quantile(ratios, 0.25):F3} to {Quantile(ratios, 0.75):F3}");
    }

    private static double Seconds(List<ProductCase> cases, int repetition) =>
        cases.Sum(c => (c.IsHead ? 1 : 12) * c.Operations / c.Rates[repetition]);

    private static double Quantile(List<double> values, double share) => values.Order().ElementAt((int)(share * (values.Count - 1)));
}
