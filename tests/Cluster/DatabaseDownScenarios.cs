using Elastic.Testing;

namespace Elastic.Cluster.Tests;

public sealed class DatabaseDownScenarios : ClusterScenario
{
    [Fact]
    public async Task A_database_that_is_down_for_a_while_is_told_of_and_the_run_goes_on_when_it_is_back()
    {
        await using var postgres = await PostgresInstance.StartNewAsync();
        Cluster.Database = postgres.Url;
        var (seed, _) = await Cluster.StartAsync(workers: 2, Launch.Slow);
        using var watch = ElasticProcess.Run("pbm.dll", [.. Cluster.PbmOptions(seed), seed.PbmEndpoint, "run", "watch"]);
        await Cluster.UntilAsync("somebody watched", () => watch.Output.Length > 0);
        await Cluster.RoundAsync(3);
        await postgres.StopAsync();
        await Cluster.UntilAsync("somebody said so", () => watch.Output.Contains("database", StringComparison.Ordinal));
        await postgres.StartAsync();
        await Cluster.SameAsUndisturbedAsync(seed);
    }
}
