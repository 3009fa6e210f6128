using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

// The only seed is lost with its disk and comes back from a backup, while workers hold what came later.
public sealed class RestoredJournalScenarios : ClusterScenario
{
    [Fact]
    public async Task A_seed_restored_from_a_backup_of_an_older_state_leads_to_the_same_weights_and_convicts_nobody()
    {
        string[] settings = ["run.rounds=8"];
        var seed = Cluster.Seed("seed");
        await Cluster.StartAsync(seed);
        await Cluster.StartAsync(Cluster.Worker("a", launch: Launch.Slow), Cluster.Worker("b", launch: Launch.Slow));
        await Cluster.StartRunAsync(settings);
        await Cluster.RoundAsync(2);
        var (backup, restored) = (Path.Combine(Cluster.Files.Root, "backup"), Path.Combine(Cluster.Files.Root, "restored"));
        await ElasticAsync("backup", "--data-dir", seed.DataDir, "--out", backup);
        var rounds = (await Cluster.JournalAsync(seed)).Count(e => e is RunEvent.RoundCommitted);
        await Cluster.RoundAsync(rounds + 2);
        await seed.KillAsync();
        Assert.NotEqual("finished", Cluster.Phase);
        // Another machine takes the place of this one: of what the seed had, there is the backup.
        await ElasticAsync("restore", "--from", backup, "--data-dir", restored);
        Directory.Delete(seed.DataDir, recursive: true);
        Directory.Move(restored, seed.DataDir);
        seed.Launch();

        var events = await Cluster.SameAsUndisturbedAsync(seed, settings);
        Assert.DoesNotContain(events, e => e is RunEvent.NodeQuarantined or RunEvent.ReplicaContested);
    }

    private static async Task ElasticAsync(params string[] command)
    {
        using var elastic = new ElasticProcess(command);
        Assert.True(await elastic.EndAsync() == 0, elastic.Output + elastic.Error);
    }
}
