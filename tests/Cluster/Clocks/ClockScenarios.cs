using Elastic.Testing;

namespace Elastic.Cluster.Tests;

public sealed class ClockScenarios : ClusterScenario
{
    [Fact]
    public async Task Clocks_that_are_hours_apart_matter_to_nobody_when_the_database_is_down_for_a_while_and_the_supervising_seed_dies()
    {
        await using var postgres = await PostgresInstance.StartNewAsync();
        Cluster.Database = postgres.Url;
        var clock = new ShiftedClock(Cluster.Files.Root);
        Launch Ahead(Launch launch) => clock.By(TimeSpan.FromHours(1), launch);
        Launch Behind(Launch launch) => clock.By(TimeSpan.FromHours(-1), launch);
        var first = Cluster.Seed("first", launch: Ahead(Launch.Elastic));
        await Cluster.StartAsync(first);
        var second = Cluster.Seed("second", launch: Behind(Launch.Elastic), more: ["--seed", first.Endpoint]);
        await Cluster.StartAsync(second);
        await Cluster.StartAsync(Cluster.Worker("a", launch: Ahead(Launch.Slow)), Cluster.Worker("b", launch: Behind(Launch.Slow)));
        await Cluster.StartRunAsync();
        await Cluster.UntilAsync("the second seed had the corpus", () => TestCluster.HasCorpus(second));
        using var watch = ElasticProcess.Run("pbm.dll", [.. Cluster.PbmOptions(first), first.PbmEndpoint, "run", "watch"]);
        await Cluster.UntilAsync("somebody watched", () => watch.Output.Length > 0);
        await Cluster.RoundAsync(3);
        await postgres.StopAsync();
        await Cluster.UntilAsync("somebody said so", () => watch.Output.Contains("database", StringComparison.Ordinal));
        await postgres.StartAsync();
        await Cluster.RoundAsync(Cluster.Round + 2);
        await first.KillAsync();
        Assert.NotEqual("finished", Cluster.Phase);

        await Cluster.SameAsUndisturbedAsync(second);
        Assert.InRange(FirstLogged(first) - FirstLogged(second), TimeSpan.FromHours(1.9), TimeSpan.FromHours(2.1));
    }

    private static DateTime FirstLogged(ClusterNode node) => NodeLog.TimeOf(node.Log.Lines[0]);
}
