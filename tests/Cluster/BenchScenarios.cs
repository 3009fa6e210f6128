namespace Elastic.Cluster.Tests;

/// <summary>The benchmarks run small, so that they cannot rot. Nothing is asserted about time.</summary>
public sealed class BenchScenarios
{
    [Fact]
    public async Task The_step_benchmark_times_our_side()
    {
        using var bench = ElasticProcess.Run(
            "Elastic.Step.dll", "--python", "none", "--rounds", "1", "--steps", "1", "--vocabulary", "97");
        Assert.True(await bench.EndAsync() == 0, bench.Error);
        Assert.Contains("ms/step", bench.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_system_benchmark_runs_through_the_actor_system_and_beside_it()
    {
        using var bench = ElasticProcess.Run("Elastic.Bench.System.dll", "--turns", "1", "--rounds", "2", "--inner-steps", "2");
        Assert.True(await bench.EndAsync() == 0, bench.Error);
        Assert.Contains("overhead", bench.Output, StringComparison.Ordinal);
    }
}
