using Elastic.Bench.Generation;

namespace Elastic.Model.Tests;

public class GenerationBenchmarkTests
{
    [Fact]
    public void The_benchmark_times_something_small()
    {
        using var contest = new GenerationContest(Samples.Tiny(), 5, 2);
        foreach (var seconds in new[] { contest.Step(3, 2), contest.WithoutCache(3, 1), contest.Prompt(1) })
            Assert.InRange(seconds, 1e-9, 60);
        using var answers = new GenerationContest(Samples.Of("transformer", 2, 4, 32, 16, 97), 5, 2);
        foreach (var shares in new[] { true, false })
            Assert.InRange(answers.Answer(2, 5, shares), 1e-9, 60);
        Assert.InRange(contest.CopyBandwidth(1), 1, double.MaxValue);
        Assert.InRange(contest.WeightBytes, 4 * 97 * 32, 1e6);
    }
}
