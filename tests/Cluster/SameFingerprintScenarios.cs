using Elastic.Foundation.Certificates;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>Whatever the machines are and whatever happens to them, the weights are those of one undisturbed process.</summary>
public sealed class SameFingerprintScenarios : ClusterScenario
{
    [Fact]
    public Task A_run_whose_nodes_come_go_and_die_and_whose_only_seed_dies_ends_in_the_same_fingerprint() =>
        ChurnAsync($"sqlite:{Path.Combine(Cluster.Files.Root, "journal.db")}");

    [Fact]
    public async Task The_same_with_PostgreSQL_and_over_mutual_TLS_with_certificates_that_are_renewed_and_a_node_that_joins_by_token()
    {
        await using var postgres = await PostgresInstance.StartNewAsync();
        Cluster.UseCertificates();
        await ChurnAsync(postgres.Url);
    }

    private async Task ChurnAsync(string database)
    {
        Cluster.Database = database;
        var (seed, workers) = await Cluster.StartAsync(workers: 3, Launch.Slow);

        await Cluster.RoundAsync(2);
        var byToken = Cluster.Certificates is not null;
        var late = byToken
            ? await Cluster.ByTokenAsync(Role.Worker, "late", seed, Launch.Slow)
            : Cluster.Worker("late", launch: Launch.Slow);
        var joined = Cluster.StartAsync(late);
        await Cluster.RoundAsync(3);
        foreach (var node in Cluster.Nodes.Where(n => n != late))
            Cluster.Renew(node);
        await workers[0].KillAsync();
        await Cluster.RoundAsync(4);
        Assert.Equal(0, await workers[1].LeaveAsync());
        await joined;
        Assert.Equal(byToken, late.Said.Contains("has given the certificate of worker", StringComparison.Ordinal));
        await Cluster.RoundAsync(5);
        await seed.KillAsync();
        Assert.NotEqual("finished", Cluster.Phase);

        // On another machine, as it were, but at the address that the workers know, and with the disk that the corpus is on: with the only
        // seed's disk the rest of the corpus would be gone.
        var successor = Cluster.Seed(
            "successor", seed.Endpoint.Split(':')[1], more: ["--corpora-dir", Path.Combine(seed.DataDir, "corpora")]);
        await Cluster.StartAsync(successor);
        var events = await Cluster.SameAsUndisturbedAsync(seed);
        Assert.Contains(events.OfType<RunEvent.ReplicaComputed>(), e => e.Node == late.Id);
    }
}
