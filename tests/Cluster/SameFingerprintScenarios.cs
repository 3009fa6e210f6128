using Elastic.Tests.Database;

namespace Elastic.Cluster.Tests;

/// <summary>Whatever the machines are and whatever happens to them, the weights are those of one undisturbed process.</summary>
public sealed class SameFingerprintScenarios
{
    [Fact]
    public async Task A_seed_and_three_workers_end_in_the_fingerprint_of_one_process()
    {
        await using var cluster = new TestCluster();
        var (seed, _) = await cluster.StartAsync(workers: 3);
        await cluster.SameAsUndisturbedAsync(seed);
    }

    [Fact]
    public async Task Two_devices_on_one_worker_and_one_on_another_end_in_the_same_fingerprint()
    {
        await using var cluster = new TestCluster();
        var seed = cluster.Seed("seed");
        await cluster.StartAsync(seed);
        await cluster.StartAsync(cluster.Worker("a", "cpu:2"), cluster.Worker("b", "cpu:1"));
        await cluster.StartRunAsync();
        await cluster.SameAsUndisturbedAsync(seed);
    }

    [Fact]
    public async Task A_run_whose_nodes_come_go_and_die_and_whose_only_seed_dies_ends_in_the_same_fingerprint()
    {
        using var files = new TinyFiles();
        await ChurnAsync($"sqlite:{Path.Combine(files.Root, "journal.db")}");
    }

    [Fact]
    public async Task The_same_with_PostgreSQL()
    {
        await using var postgres = await PostgresInstance.StartNewAsync();
        await ChurnAsync(postgres.Url);
    }

    private static async Task ChurnAsync(string database)
    {
        await using var cluster = new TestCluster { Database = database };
        var (seed, workers) = await cluster.StartAsync(workers: 3);

        await cluster.RoundAsync(2);
        var joined = cluster.StartAsync(cluster.Worker("late"));
        await cluster.RoundAsync(3);
        await workers[0].KillAsync();
        await cluster.RoundAsync(4);
        Assert.Equal(0, await workers[1].LeaveAsync());
        await joined;
        await cluster.RoundAsync(5);
        await seed.KillAsync();
        Assert.NotEqual("finished", cluster.Phase);

        // On another machine, as it were, but at the address that the workers know.
        await cluster.StartAsync(cluster.Seed("successor", seed.Endpoint.Split(':')[1]));
        await cluster.SameAsUndisturbedAsync(seed);
    }
}
