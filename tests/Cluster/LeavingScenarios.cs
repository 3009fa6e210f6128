using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

public sealed class LeavingScenarios : ClusterScenario
{
    // A round takes so long that a node leaves in the middle of it, though it looks for the file once a second; and while one leaves, the
    // others finish a round or two.
    private const int Steps = 150;

    private static readonly string[] LongRounds = [$"run.inner-steps={Steps}", "run.rounds=7"];

    [Fact]
    public async Task A_node_that_leaves_in_any_way_hands_over_at_the_step_that_it_is_at()
    {
        var seed = Cluster.Seed("seed", launch: Here.Elastic);
        await Cluster.StartAsync(seed);
        var file = Path.Combine(Cluster.Files.Root, "preempt.now");
        var (terminated, preempted, asked, staying) =
            (Cluster.Worker("terminated", launch: Launch.Slow), Slow("preempted", "cpu:1", "--preemption-file", file), Slow("asked"),
                Slow("staying", "cpu:2"));
        ClusterNode[] workers = [terminated, preempted, asked, staying];
        await Cluster.StartAsync(workers);
        await Cluster.StartRunAsync(LongRounds);

        using var http = new HttpClient { DefaultRequestHeaders = { { "Elastic-Leave", "yes" } } };
        var left = new List<(int Round, int Replica)>
        {
            await LeaveAsync(terminated, null),
            await LeaveAsync(preempted, () => File.WriteAllTextAsync(file, "")),
            await LeaveAsync(asked, AskOverHttpAsync),
        };

        var events = await Cluster.SameAsUndisturbedAsync(seed, LongRounds);
        foreach (var (leaver, (round, replica)) in workers.Zip(left))
        {
            Assert.Contains("handed over", leaver.Said, StringComparison.Ordinal);
            var handOver = Assert.Single(
                events.OfType<RunEvent.ReplicaHandedOver>(), e => (e.HandOver.Round, e.HandOver.Replica) == (round, replica)).HandOver;
            Assert.InRange(handOver.Step, 1, Steps - 1);

            // It began at the first step, and whoever came after it at the one that it had come to.
            IEnumerable<int> BegunBy(ClusterNode w) => w.Begun.Where(b => (b.Round, b.Replica) == (round, replica)).Select(b => b.Step);
            Assert.Equal([0], BegunBy(leaver).Distinct());
            var after = workers.Where(w => w != leaver).SelectMany(BegunBy).ToList();
            Assert.NotEmpty(after);
            Assert.All(after, step => Assert.Equal(handOver.Step, step));
            var computed = Assert.Single(
                events.OfType<RunEvent.ReplicaComputed>(), e => (e.Result.Round, e.Result.Replica) == (round, replica));
            Assert.NotEqual(leaver.Id, computed.Node);
        }

        async Task AskOverHttpAsync() =>
            (await http.PostAsync(new Uri($"http://{asked.HttpEndpoint}/leave"), null)).EnsureSuccessStatusCode();

        // In the middle of a round that it has just begun.
        async Task<(int Round, int Replica)> LeaveAsync(ClusterNode worker, Func<Task>? ask)
        {
            var committed = Cluster.Round;
            await Cluster.RoundAsync(committed + 1);
            await Cluster.UntilAsync($"{worker.Name} was in the middle of a round", () => worker.Stepped.Any(s => s.Round > committed));
            var work = worker.Stepped[^1];
            Assert.Equal(0, await worker.LeaveAsync(ask));
            return work;
        }

        ClusterNode Slow(string name, string devices = "cpu:1", params string[] more) => Cluster.Worker(name, devices, Here.Slow, more);
    }
}
