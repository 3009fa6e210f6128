using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

public sealed class SupervisorScenarios : ClusterScenario
{
    // A round takes so long that the seed dies in the middle of it, and is over before another one can supervise.
    private static readonly string[] LongRounds = ["run.inner-steps=100", "run.rounds=5"];

    [Fact]
    public async Task When_the_supervising_one_of_three_seeds_dies_another_takes_over_and_the_workers_go_on_at_the_step_that_they_are_at()
    {
        await using var postgres = await PostgresInstance.StartNewAsync();
        Cluster.Database = postgres.Url;
        Cluster.UseCertificates();
        var first = Cluster.Seed("first");
        await Cluster.StartAsync(first);
        ClusterNode[] others =
            [Cluster.Seed("second", more: ["--seed", first.Endpoint]), Cluster.Seed("third", more: ["--seed", first.Endpoint])];
        await Cluster.StartAsync(others);
        ClusterNode[] workers = [Cluster.Worker("a", "cpu:2", Launch.Slow), Cluster.Worker("b", "cpu:2", Launch.Slow)];
        await Cluster.StartAsync(workers);
        await Cluster.StartRunAsync(LongRounds);

        // The corpus was built on the first seed, which is about to die.
        await Cluster.UntilAsync("the other seeds had the corpus", () => others.All(TestCluster.HasCorpus));
        await Cluster.UntilAsync("the first seed supervised", async () => await Cluster.SupervisorAsync() == first);
        var round = 0;
        await Cluster.UntilAsync("all replicas of a round were under way", () =>
            (round = workers.SelectMany(w => w.Begun).Select(b => b.Round).DefaultIfEmpty().Max()) >= 1 && BegunIn(round).Count == 4);
        var begun = BegunIn(round);
        await first.KillAsync();
        Assert.DoesNotContain((await Cluster.JournalAsync(others[0])).OfType<RunEvent.ReplicaComputed>(), e => e.Result.Round == round);

        await Cluster.UntilAsync("another seed supervised", async () =>
            await Cluster.SupervisorAsync() is { } supervisor && supervisor != first);
        var events = await Cluster.SameAsUndisturbedAsync(others[0], LongRounds);

        Assert.Equal(begun, BegunIn(round));                            // nobody began anew
        var computed = events.OfType<RunEvent.ReplicaComputed>().Where(e => e.Result.Round == round);
        Assert.Equal(begun.Order(), computed.Select(e => (workers.Single(w => w.Id == e.Node).Name, e.Result.Replica)).Order());

        List<(string Worker, int Replica)> BegunIn(int r) =>
            [.. workers.SelectMany(w => w.Begun.Where(b => b.Round == r).Select(b => (w.Name, b.Replica)))];
    }
}
