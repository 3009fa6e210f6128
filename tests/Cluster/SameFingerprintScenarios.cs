using Elastic.Foundation.Certificates;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>
/// Whatever the machines are and whatever happens to them, the weights are those of one undisturbed process: with PostgreSQL, and over
/// mutual TLS with certificates that are renewed and a node that joins by token. Other scenarios have SQLite, and no certificates.
/// </summary>
public sealed class SameFingerprintScenarios : ClusterScenario
{
    [Fact]
    public async Task A_run_whose_nodes_come_go_and_die_and_whose_only_seed_dies_ends_in_the_same_fingerprint()
    {
        await using var postgres = await PostgresInstance.StartNewAsync();
        Cluster.UseCertificates();
        Cluster.Database = postgres.Url;
        var (seed, workers) = await Cluster.StartAsync(Launch.Elastic, [Launch.Slow, Launch.Slow, Here.Slow]);

        await Cluster.RoundAsync(2);
        var late = await Cluster.ByTokenAsync(Role.Worker, "late", seed, Here.Slow);
        var joined = Cluster.StartAsync(late);
        await Cluster.RoundAsync(3);
        foreach (var node in Cluster.Nodes.Where(n => n != late))
            Cluster.Renew(node);
        await workers[0].KillAsync();
        await Cluster.RoundAsync(4);
        Assert.Equal(0, await workers[1].LeaveAsync());
        await joined;
        Assert.Contains("has given the certificate of worker", late.Said, StringComparison.Ordinal);
        await Cluster.RoundAsync(5);
        await seed.KillAsync();
        Assert.NotEqual("finished", Cluster.Phase);

        // On another machine, as it were, but at the address that the workers know, and with the disk that the corpus is on: with the only
        // seed's disk the rest of the corpus would be gone.
        var successor = Cluster.Seed(
            "successor", seed.Endpoint.Split(':')[1], Here.Elastic, ["--corpora-dir", Path.Combine(seed.DataDir, "corpora")]);
        await Cluster.StartAsync(successor);
        var events = await Cluster.SameAsUndisturbedAsync(seed);
        Assert.Contains(events.OfType<RunEvent.ReplicaComputed>(), e => e.Node == late.Id);
    }
}
