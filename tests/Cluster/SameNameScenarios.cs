using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>A run's name is a label, which may be used again: see RunId.</summary>
public sealed class SameNameScenarios : ClusterScenario
{
    // A round takes so long that a worker is still in the middle of it when it is stopped.
    private static readonly string[] LongRounds = ["run.inner-steps=100", "run.rounds=6"];
    private static readonly string[] First = [.. LongRounds, "run.seed=42"], Second = [.. LongRounds, "run.seed=43"];

    [Fact]
    public async Task A_run_whose_name_was_used_before_gets_nothing_of_the_first_one_from_workers_that_have_results_and_work_of_it_in_hand()
    {
        var seed = Cluster.Seed("seed");
        await Cluster.StartAsync(seed);
        ClusterNode withResult = Cluster.Worker("with-result", launch: Here.Slow),
            withWork = Cluster.Worker("with-work", launch: Launch.Slow);
        await Cluster.StartAsync(withResult, withWork);
        await Cluster.StartRunAsync(First);
        await Cluster.RoundAsync(1);
        await Cluster.UntilAsync("both were in the middle of a round", () =>
            withResult.Stepped.Any(s => s.Round >= 1) && withWork.Stepped.Any(s => s.Round >= 1));

        // One stands still with its work, the other ends it and has nobody to give the result to.
        withWork.Process.Signal("STOP");
        await seed.RemoveAsync();
        Assert.NotEqual("finished", Cluster.Phase);
        var first = Assert.Single(RunsOf(withResult));

        await Cluster.StartAsync(seed);
        await Cluster.StartRunAsync(Second);
        await Cluster.UntilAsync("the second run had begun", () => RunsOf(withResult).Count == 2);
        withWork.Process.Signal("CONT");
        await Cluster.UntilAsync("the other worked for the second run, too", () => RunsOf(withWork).Count == 2);

        var events = await Cluster.SameAsUndisturbedAsync(seed, Second);
        Assert.NotEqual(await Undisturbed.FingerprintAsync(First), await Undisturbed.FingerprintAsync(Second));
        Assert.All(events, e => Assert.NotEqual(first, e.RunId.Value));
        Assert.DoesNotContain(events, e => e is RunEvent.ReplicaContested or RunEvent.NodeQuarantined);
        foreach (var worker in new[] { withResult, withWork })
            Assert.Contains(seed.Log.Lines, l => l.Contains($"({worker.Id}) works for run {first}", StringComparison.Ordinal));
    }

    private static List<string> RunsOf(ClusterNode worker) =>
        [.. Directory.EnumerateDirectories(Path.Combine(worker.DataDir, "runs")).Select(d => Path.GetFileName(d))];
}
