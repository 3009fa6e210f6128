using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

public sealed class SleepingWorkerScenarios : ClusterScenario
{
    // A worker whose cluster has gone on without it takes some twenty seconds to be in it again: the run has to be there yet.
    private const int Rounds = 20;

    private static readonly string[] LongRounds = ["run.inner-steps=50", $"run.rounds={Rounds}"];

    [Fact]
    public async Task A_worker_that_stood_still_for_long_breaks_nothing_when_it_wakes_and_works_again()
    {
        var (seed, workers) = await Cluster.StartAsync(Here.Elastic, [Here.Slow, Launch.Slow, Here.Slow], LongRounds);
        var sleeper = workers[1];
        await Cluster.RoundAsync(3);
        await Cluster.UntilAsync("it was in the middle of a round", () => sleeper.Begun.Any(b => b.Round >= Cluster.Round));
        var began = sleeper.Begun.Count;
        sleeper.Process.Signal("STOP");

        // Its replica is done by another, its liveness connection is given up, and the cluster downs it.
        var asleep = Cluster.Round;
        await Cluster.RoundAsync(asleep + 2);
        await Cluster.UntilAsync("the cluster had downed it", async () =>
            await Cluster.LookAsync("cluster", "show") is [var cluster] &&
            cluster.GetProperty("members").EnumerateArray().All(m => m.GetProperty("address").GetString() != sleeper.Endpoint));
        Assert.NotEqual("finished", Cluster.Phase);
        sleeper.Process.Signal("CONT");

        await Cluster.UntilAsync("it worked again", () => sleeper.Begun.Count > began);
        var events = await Cluster.SameAsUndisturbedAsync(seed, LongRounds);
        Assert.DoesNotContain(events, e => e is RunEvent.ReplicaContested or RunEvent.NodeQuarantined or RunEvent.RolledBack);
        // Once each, but for what was on the sleeper only and was computed again.
        var lost = events.OfType<RunEvent.WorkLost>().Sum(e => e.Replicas.Length);
        Assert.Equal(Rounds * TinyFiles.Replicas, events.OfType<RunEvent.ReplicaComputed>().Count() - lost);
    }
}
