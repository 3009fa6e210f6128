using Elastic.Messages.Runs;
using Elastic.Testing;
using Microsoft.Data.Sqlite;

namespace Elastic.Cluster.Tests;

// The database comes back in an older state, as after a failover to a copy that lagged behind, while workers hold what came later.
public sealed class RestoredJournalScenarios : ClusterScenario
{
    [Fact]
    public async Task A_journal_restored_to_an_older_state_leads_to_the_same_weights_and_convicts_nobody()
    {
        string[] settings = ["run.rounds=8"];
        var seed = Cluster.Seed("seed");
        await Cluster.StartAsync(seed);
        await Cluster.StartAsync(Cluster.Worker("a", launch: Launch.Slow), Cluster.Worker("b", launch: Launch.Slow));
        await Cluster.StartRunAsync(settings);
        await Cluster.RoundAsync(2);
        var (journal, copy) = (Path.Combine(seed.DataDir, "journal.db"), Path.Combine(Cluster.Files.Root, "copy.db"));
        Copy(journal, copy);
        var rounds = (await Cluster.JournalAsync(seed)).Count(e => e is RunEvent.RoundCommitted);
        await Cluster.RoundAsync(rounds + 2);
        await seed.KillAsync();
        Assert.NotEqual("finished", Cluster.Phase);
        foreach (var file in Directory.EnumerateFiles(seed.DataDir, "journal.db*"))
            File.Delete(file);
        File.Move(copy, journal);
        seed.Launch();

        var events = await Cluster.SameAsUndisturbedAsync(seed, settings);
        Assert.DoesNotContain(events, e => e is RunEvent.NodeQuarantined or RunEvent.ReplicaContested);
    }

    // As a backup of a database that is in use is made: by the database.
    private static void Copy(string from, string to)
    {
        using SqliteConnection source = new($"Data Source={from};Pooling=False"), target = new($"Data Source={to};Pooling=False");
        source.Open();
        target.Open();
        source.BackupDatabase(target);
    }
}
