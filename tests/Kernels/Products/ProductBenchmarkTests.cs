using Elastic.Bench.Kernels;

namespace Elastic.Kernels.Tests.Products;

public class ProductBenchmarkTests
{
    [Fact]
    public void The_benchmark_measures_something_small()
    {
        using var contest = new ProductContest(2, false, [.. ProductContest.Of(32, 64, 257, 2)], 0, 1000);
        contest.Measure();
        Assert.InRange(contest.Peak, 1, double.MaxValue);
        Assert.All(contest.Cases, c => Assert.InRange(contest.Rate(c), 1, double.MaxValue));
        Assert.InRange(contest.StepRate(32), 1, double.MaxValue);
    }
    [Fact]
    public void What_parts_of_sums_cost_is_measured_of_the_products_that_have_some()
    {
        using var output = new StringWriter();
        PartsContest.Run(16, 64, 257, 4, 1, false, 0, 2, output);
        var lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(
            ["projection", "down", "qkv", "up", "head", "all"], lines.Select(l => l.Split(' ')[0]));
        Assert.All(lines, l => Assert.Matches(@"with 4 parts takes [\d.]+ times as long as one chain; quartiles [\d.]+ to [\d.]+$", l));
    }
}
