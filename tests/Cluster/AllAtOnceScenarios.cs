using Elastic.Testing;

namespace Elastic.Cluster.Tests;

public sealed class AllAtOnceScenarios : ClusterScenario
{
    [Fact]
    public async Task A_run_all_of_whose_processes_were_killed_or_asked_to_leave_at_once_goes_on_by_itself_when_they_are_started_again()
    {
        var (seed, workers) = await Cluster.StartAsync(workers: 2, Launch.Slow);
        await Cluster.RoundAsync(2);
        await Task.Delay(new Random(303).Next(500));                     // anywhere in a round
        await Task.WhenAll([seed.KillAsync(), .. workers.Select(w => w.KillAsync())]);
        Assert.NotEqual("finished", Cluster.Phase);

        await Cluster.StartAsync([seed, .. workers]);
        await Cluster.RoundAsync(4);
        Assert.All(await Task.WhenAll([seed.LeaveAsync(), .. workers.Select(w => w.LeaveAsync())]), code => Assert.Equal(0, code));
        Assert.NotEqual("finished", Cluster.Phase);

        await Cluster.StartAsync([seed, .. workers]);
        await Cluster.SameAsUndisturbedAsync(seed);
    }
}
