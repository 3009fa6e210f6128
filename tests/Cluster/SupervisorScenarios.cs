using Elastic.Foundation.Certificates;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

public sealed class SupervisorScenarios : ClusterScenario
{
    private static readonly string[] Short = ["run.rounds=5"];

    [Fact]
    public async Task When_the_supervising_one_of_three_seeds_dies_another_takes_over_and_the_workers_go_on_at_the_step_that_they_are_at()
    {
        await using var postgres = await PostgresInstance.StartNewAsync();
        Cluster.Database = postgres.Url;
        Cluster.UseCertificates();
        var first = Cluster.Seed("first");
        await Cluster.StartAsync(first);
        ClusterNode[] others =
            [
                await Cluster.ByTokenAsync(Role.Seed, "second", first, Here.Elastic),
                Cluster.Seed("third", launch: Here.Elastic, more: ["--seed", first.Endpoint]),
            ];
        await Cluster.StartAsync(others);
        var go = Path.Combine(Cluster.Files.Root, "go");
        var held = Here.Faulty("held", ("ELASTIC_GO", go));
        ClusterNode[] workers = [Cluster.Worker("a", "cpu:2", held), Cluster.Worker("b", "cpu:2", held)];
        await Cluster.StartAsync(workers);
        // One device each: a worker whose orders come apart would compute its first replica on both, and a replica that is held gives none
        // back.
        await Cluster.StartRunAsync([.. Short, "run.devices-per-replica=1"]);

        // The corpus was built on the first seed, which is about to die.
        await Cluster.UntilAsync("the other seeds had the corpus", () => others.All(TestCluster.HasCorpus));
        await Cluster.UntilAsync("the first seed supervised", async () => await Cluster.SupervisorAsync() == first);
        await Cluster.UntilAsync(
            "all replicas were in the middle of round 1", () => BegunIn1().Select(b => b.Replica).Distinct().Count() == 4);
        var begun = BegunIn1();
        await first.KillAsync();
        Assert.DoesNotContain((await Cluster.JournalAsync(others[0])).OfType<RunEvent.ReplicaComputed>(), e => e.Result.Round == 1);

        // The round is over before another one supervises, and what it came to is kept for that one.
        await File.WriteAllTextAsync(go, "");
        await Cluster.UntilAsync("another seed supervised", async () =>
            await Cluster.SupervisorAsync() is { } supervisor && supervisor != first);
        var events = await Cluster.SameAsUndisturbedAsync(others[0], Short);

        // Nobody took one of them for a process that merely calls itself a seed.
        Assert.All(Cluster.Seeds, s => Assert.DoesNotContain(
            s.Log.Lines, l => l.Contains("has not entered itself in the database", StringComparison.Ordinal)));
        Assert.Equal(begun, BegunIn1());                            // nobody began anew
        var computed = events.OfType<RunEvent.ReplicaComputed>().Where(e => e.Result.Round == 1);
        Assert.Equal(begun.Order(), computed.Select(e => (workers.Single(w => w.Id == e.Node).Name, e.Result.Replica)).Order());

        List<(string Worker, int Replica)> BegunIn1() =>
            [.. workers.SelectMany(w => w.Begun.Where(b => b.Round == 1).Select(b => (w.Name, b.Replica)))];
    }
}
