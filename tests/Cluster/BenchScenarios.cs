using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>The benchmarks run small, so that they cannot rot. Nothing is asserted about time.</summary>
public sealed class BenchScenarios
{
    [Theory]
    [InlineData("small", "--change", "--devices", "2")]
    [InlineData("llama-tiny")]
    [InlineData("small", "--optimizer", "muon", "--against", "adamw")]
    [InlineData("small", "--memory", "--plain", "--zero", "2", "--offload", "file", "--mirror", "--devices", "2")]
    public async Task The_step_benchmark_times_our_side(string model, params string[] others)
    {
        using var bench = ElasticProcess.Run(
            "Elastic.Step.dll",
            ["--model", model, "--python", "none", "--rounds", "1", "--steps", "1", "--vocabulary", "97", .. others]);
        Assert.True(await bench.EndAsync() == 0, bench.Error);
        Assert.Contains("median of 1 turns of 1 steps", bench.Output, StringComparison.Ordinal);
        Assert.Equal(others.Contains("--memory"), bench.Output.Contains("MiB a device", StringComparison.Ordinal));
        Assert.Equal(others.Contains("--change"), bench.Output.Contains("a step after a device was replaced", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_system_benchmark_runs_through_the_actor_system_and_beside_it()
    {
        using var bench = ElasticProcess.Run("Elastic.Bench.System.dll", "--turns", "1", "--rounds", "2", "--inner-steps", "2");
        Assert.True(await bench.EndAsync() == 0, bench.Error);
        Assert.Contains("overhead", bench.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_averaging_benchmark_shows_where_the_time_goes()
    {
        using var bench = ElasticProcess.Run("Elastic.Bench.Averaging.dll",
            "--turns", "1", "--nodes", "2", "--layers", "1", "--width", "64", "--vocabulary", "97", "--stream-mib", "16",
            "--data", Path.GetTempPath());
        Assert.True(await bench.EndAsync() == 0, bench.Error);
        Assert.Contains("against the stream", bench.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("aim: < 10", "join", "--turns", "1", "--layers", "1", "--width", "64", "--heads", "2",
        "--vocabulary", "257", "--inner-steps", "100", "--gbit-per-second", "1")]
    [InlineData("aim: < 0.2", "supervisor", "--sizes", "8x10")]
    [InlineData("simulated", "messages", "--replicas", "4", "--compute", "5", "--real-workers", "0")]
    public async Task The_elasticity_benchmarks_come_to_their_tables(string says, params string[] arguments)
    {
        using var bench = ElasticProcess.Run("Elastic.Bench.Elasticity.dll", arguments);
        Assert.True(await bench.EndAsync() == 0, bench.Error);
        Assert.Contains(says, bench.Output, StringComparison.Ordinal);
    }
}
