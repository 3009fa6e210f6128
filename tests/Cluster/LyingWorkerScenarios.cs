using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

public sealed class LyingWorkerScenarios : ClusterScenario
{
    private const string Audited = "run.audit-rate=1";

    // What is compared has the loss scale in it.
    private const string Fp16 = "run.precision=fp16";

    [Fact]
    public async Task A_worker_whose_memory_flips_a_bit_is_found_out_and_quarantined_and_the_weights_are_unharmed()
    {
        var seed = Cluster.Seed("seed", launch: Here.Elastic);
        await Cluster.StartAsync(seed);
        var liar = Cluster.Worker("liar", launch: Here.Faulty("bit-flip"));
        ClusterNode[] honest = [.. "abc".Select(name => Cluster.Worker($"{name}", launch: Here.Slow))];
        await Cluster.StartAsync(honest);
        await Cluster.StartRunAsync(Audited, Fp16);
        using var watch = ElasticProcess.Run("pbm.dll", [.. Cluster.PbmOptions(seed), seed.PbmEndpoint, "run", "watch"]);
        await Cluster.UntilAsync("somebody watched", () => watch.Output.Length > 0);
        await Cluster.StartAsync(liar);

        var events = await Cluster.SameAsUndisturbedAsync(seed, Fp16);
        var quarantined = Assert.Single(events.OfType<RunEvent.NodeQuarantined>());
        Assert.Equal(liar.Id, quarantined.Node);
        Assert.Contains(events, e => e is RunEvent.ReplicaContested);
        Assert.Contains(quarantined.Why, liar.Said, StringComparison.Ordinal);
        await watch.EndAsync();
        Assert.Contains(quarantined.Why, watch.Output, StringComparison.Ordinal);
    }
}
