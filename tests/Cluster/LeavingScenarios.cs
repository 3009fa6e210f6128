using Elastic.Messages.Runs;

namespace Elastic.Cluster.Tests;

public sealed class LeavingScenarios : ClusterScenario
{
    // A round takes so long that a node leaves in the middle of it.
    private static readonly string[] LongRounds = ["run.inner-steps=200", "run.rounds=5"];

    [Fact]
    public async Task A_node_that_leaves_by_SIGTERM_or_preemption_file_or_over_HTTP_hands_its_replica_over_at_the_step_that_it_is_at()
    {
        var seed = Cluster.Seed("seed");
        await Cluster.StartAsync(seed);
        var file = Path.Combine(Cluster.Files.Root, "preempt.now");
        var (terminated, preempted, asked, staying) =
            (Cluster.Worker("terminated"), Cluster.Worker("preempted", more: ["--preemption-file", file]), Cluster.Worker("asked"), Cluster.Worker("staying"));
        ClusterNode[] workers = [terminated, preempted, asked, staying];
        await Cluster.StartAsync(workers);
        await Cluster.StartRunAsync(LongRounds);

        using var http = new HttpClient { DefaultRequestHeaders = { { "Elastic-Leave", "yes" } } };
        var rounds = new List<int>
        {
            await LeaveAsync(terminated, null),
            await LeaveAsync(preempted, () => File.WriteAllTextAsync(file, "")),
            await LeaveAsync(asked, async () => (await http.PostAsync(new Uri($"http://{asked.HttpEndpoint}/leave"), null)).EnsureSuccessStatusCode()),
        };

        var events = await Cluster.SameAsUndisturbedAsync(seed, LongRounds);
        foreach (var (leaver, round) in workers.Zip(rounds))
        {
            Assert.Contains("handed over", leaver.Said, StringComparison.Ordinal);
            var replica = Assert.Single(leaver.Begun, b => b.Round == round).Replica;
            var handOver = Assert.Single(events.OfType<RunEvent.ReplicaHandedOver>(), e => (e.HandOver.Round, e.HandOver.Replica) == (round, replica)).HandOver;
            Assert.InRange(handOver.Step, 1, 199);

            // Another one took the steps after it, and nobody took one twice.
            var steps = workers.SelectMany(w => w.Begun.Where(b => (b.Round, b.Replica) == (round, replica)).Select(b => b.Step)).Order();
            Assert.Equal([0, handOver.Step], steps);
            Assert.NotEqual(leaver.Endpoint, Assert.Single(events.OfType<RunEvent.ReplicaComputed>(), e => (e.Result.Round, e.Result.Replica) == (round, replica)).Node.Value);
        }

        // In the middle of a round that it has just begun.
        async Task<int> LeaveAsync(ClusterNode worker, Func<Task>? ask)
        {
            var committed = Cluster.Round;
            await Cluster.RoundAsync(committed + 1);
            await Cluster.UntilAsync($"{worker.Name} had begun a round", () => worker.Begun.Any(b => b.Round > committed));
            var round = worker.Begun[^1].Round;
            Assert.Equal(0, await worker.LeaveAsync(ask));
            return round;
        }
    }
}
