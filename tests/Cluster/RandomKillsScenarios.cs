using Elastic.Testing;

namespace Elastic.Cluster.Tests;

public sealed class RandomKillsScenarios : ClusterScenario
{
    private const int Kills = 12;

    // Long enough that the last kill comes before the end.
    private const string LongRounds = "run.inner-steps=30";

    // One worker's devices are lost at random, too, in the middle of steps.
    [Fact]
    public async Task Twelve_kills_at_random_of_seed_and_workers_alike_need_nobody_s_help_and_count_every_block_once()
    {
        var (seed, workers) = await Cluster.StartAsync(workers: 2, Launch.Slow, LongRounds);
        var loose = Cluster.Worker("loose", launch: Launch.Faulty("loose"));
        await Cluster.StartAsync(loose);
        await Cluster.RoundAsync(1);

        // Workers compute with other devices from now on; one that is killed has its first ones again.
        foreach (var (worker, devices) in new[] { (workers[0], "cpu:1,3,5"), (loose, "cpu:3") })
        {
            var (code, output, error) = await Cluster.PbmAsync("node", "devices", "-n", worker.Endpoint, "-d", devices);
            Assert.True(code == 0, output + error);
        }

        var random = new Random(404);
        var returning = new List<Task>();
        for (var kill = 0; kill < Kills; kill++)
        {
            // Some before they have joined; and never the last one, so that there is always somebody to kill.
            await Task.Delay(random.Next(500, 3500));
            ClusterNode[] alive = [];
            await Cluster.UntilAsync("two processes were alive", () => (alive = [.. Cluster.Nodes.Where(n => n.IsAlive)]).Length > 1);
            var victim = alive[random.Next(alive.Length)];
            await victim.KillAsync();
            returning.Add(ReturnAsync(victim, random.Next(200, 1500)));
            // Refused where the worker is not there; no seed can be asked while none is.
            if (kill % 4 == 3 && seed.IsUp)
                returning.Add(Cluster.PbmAsync("node", "devices", "-n", loose.Endpoint, "-d", $"cpu:0,{kill / 4 + 1},{kill}"));
        }

        Assert.NotEqual("finished", Cluster.Phase);
        await Task.WhenAll(returning);
        await Cluster.SameAsUndisturbedAsync(seed, LongRounds);

        async Task ReturnAsync(ClusterNode node, int afterMilliseconds)
        {
            await Task.Delay(afterMilliseconds);
            node.Launch();
        }
    }
}
