using Elastic.Bench.Attention;

namespace Elastic.Kernels.Tests.Attention;

public class AttentionBenchmarkTests
{
    [Fact]
    public void The_benchmark_times_something_small_that_allocates_nothing()
    {
        using var team = new ThreadTeam(2);
        var contests = AttentionContest.Of(team, 1, 64, 2, 1, 64, 0.1).Concat(MemoryContest.Of(team, 2)).ToList();
        foreach (var contest in contests)
            contest.Measure();
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < contests.Count; i++)
            contests[i].Measure();
        Assert.Equal(allocated, GC.GetAllocatedBytesForCurrentThread());
        Assert.All(contests, c => Assert.InRange(c.PerSecond, 1, double.MaxValue));
    }
}
