using System.Text.Json;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>Runs that share the nodes of a cluster, by their priorities.</summary>
public sealed class TwoRunsScenarios : ClusterScenario
{
    private const string Urgent = "urgent";

    private static readonly string[] First = ["run.rounds=8"], Second = ["run.rounds=3", "run.seed=43"];

    [Fact]
    public async Task A_run_of_higher_priority_takes_both_devices_in_the_middle_of_a_round_and_each_run_ends_as_it_does_alone()
    {
        var (seed, _) = await Cluster.StartAsync(2, Launch.Slow, First);
        await Cluster.RoundAsync(1);
        string[] settings = [.. Second, "run.priority=5"];
        await Cluster.StartRunAsync(Urgent, Cluster.Files.ClusterConfig, Cluster.Files.Corpus, settings);
        await Cluster.UntilAsync("the urgent run had both devices, and the other one none", async () =>
            await RunsAsync() is [var first, var urgent]
            && (Number(first, "devicesInUse"), Number(urgent, "devicesInUse")) == (0, 2)
            && (Number(first, "place"), Number(urgent, "place")) == (2, 1));
        JsonElement waits = default, finished = default;
        await Cluster.UntilAsync("the urgent run was finished", async () =>
        {
            if (await RunsAsync() is [var first, var urgent])
                (waits, finished) = (first, urgent);
            return finished.ValueKind == JsonValueKind.Object && finished.GetProperty("phase").GetString() == "finished";
        });
        Assert.Equal(await Undisturbed.FingerprintAsync(Second), finished.GetProperty("fingerprint").GetString());
        Assert.NotEqual("finished", waits.GetProperty("phase").GetString());

        // At the step that they were at when the urgent run came, and on from there.
        var events = await Cluster.SameAsUndisturbedAsync(seed, First);
        var handedOver = events.OfType<RunEvent.ReplicaHandedOver>().Where(e => e.HandOver.Step is > 0 and < 20).ToList();
        Assert.NotEmpty(handedOver);
        Assert.Empty((await Cluster.JournalAsync(seed, Urgent)).OfType<RunEvent.ReplicaHandedOver>());
    }

    // By name: tiny, urgent.
    private Task<IReadOnlyList<JsonElement>?> RunsAsync() => Cluster.LookAsync("run", "list");

    private static int Number(JsonElement run, string key) => run.GetProperty(key).GetInt32();
}
