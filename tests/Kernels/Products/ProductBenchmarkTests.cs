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
}
