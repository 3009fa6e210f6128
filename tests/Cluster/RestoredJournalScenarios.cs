using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

// The only seed is lost with its machine and comes back from a backup on another one, while workers hold what came later.
public sealed class RestoredJournalScenarios : ClusterScenario
{
    [Fact]
    public async Task A_backup_of_an_older_state_restored_on_another_machine_leads_to_the_same_weights_and_convicts_nobody()
    {
        var seed = Cluster.Seed("seed");
        await Cluster.StartAsync(seed);
        // Workers know the address that a seed in place of this one would have, as docs/cluster.md advises; nobody is there yet.
        var port = FreePort.Text();
        string[] later = ["--seed", $"127.0.0.1:{port}"];
        await Cluster.StartAsync(
            Cluster.Worker("a", launch: Here.Slow, more: later), Cluster.Worker("b", launch: Here.Slow, more: later));
        await Cluster.StartRunAsync();
        await Cluster.RoundAsync(2);
        var (backup, successor) = (Path.Combine(Cluster.Files.Root, "backup"), Cluster.Seed("successor", port, Here.Elastic));
        await ElasticAsync("backup", "--data-dir", seed.DataDir, "--out", backup);
        var rounds = (await Cluster.JournalAsync(seed)).Count(e => e is RunEvent.RoundCommitted);
        await Cluster.RoundAsync(rounds + 2);
        await seed.KillAsync();
        Assert.NotEqual("finished", Cluster.Phase);
        // Of what the seed had, there is the backup: another machine has another address and another disk.
        Directory.Delete(seed.DataDir, recursive: true);
        await ElasticAsync("restore", "--from", backup, "--data-dir", successor.DataDir);
        await Cluster.StartAsync(successor);

        var events = await Cluster.SameAsUndisturbedAsync(successor);
        Assert.DoesNotContain(events, e => e is RunEvent.NodeQuarantined or RunEvent.ReplicaContested);
    }

    private static async Task ElasticAsync(params string[] command)
    {
        using var elastic = Here.Run(command);
        Assert.True(await elastic.EndAsync() == 0, elastic.Said);
    }
}
