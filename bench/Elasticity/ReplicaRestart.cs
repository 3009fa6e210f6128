using Elastic.Bench.Elasticity.Clusters;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Bench.Elasticity;

/// <summary>From the kill -9 of a worker to the start of its replica on another one that has a free device.</summary>
internal sealed class ReplicaRestart(Options options)
{
    private readonly Samples _noticed = new(), _started = new(), _stepped = new();

    public async Task RunAsync()
    {
        int turns = options.Number("turns", 10), workers = options.Number("workers", 3);
        var run = new BenchRun(workers, options.Number("inner-steps", 400));
        await using var cluster = new Cluster(options.Folder);
        await cluster.StartSeedsAsync(1);
        await cluster.StartWorkersAsync(workers, "cpu:2");
        await cluster.StartRunAsync(run);
        for (var turn = 0; turn < turns; turn++)
        {
            await TakeTurnAsync(cluster);
            Report.Turn(turn, turns, _started);
        }

        Console.WriteLine($"kill -9 of a worker: seconds until its replica goes on elsewhere; medians of {turns} (quartiles)");
        Console.WriteLine($"1 seed, {workers} workers of 2 devices, {run}");
        Report.Row("the supervisor gives the node up", _noticed);
        Report.Row("another node starts the replica (aim: < 1)", _started);
        Report.Row("and has taken its first step", _stepped);
    }

    private async Task TakeTurnAsync(Cluster cluster)
    {
        await Task.Delay(TimeSpan.FromSeconds(0.5 + 2 * Random.Shared.NextDouble()));
        (ClusterNode Node, ReplicaRound Work)? found = null;
        await cluster.UntilAsync("a worker has one replica in hand, and others have room", () => (found = Victim(cluster)) is not null);
        var (victim, work) = found!.Value;

        var killed = await victim.KillAsync();
        var others = cluster.Workers.Where(w => w != victim).ToList();
        IEnumerable<DateTime> Steps() =>
            others.SelectMany(w => w.Log.FirstSteps).Where(s => s.Work == work && s.At > killed).Select(s => s.At);
        await cluster.UntilAsync($"{work} goes on elsewhere", () => Steps().Any());
        _noticed.Add((cluster.Seeds[0].Log.GivenUp.First(g => g.Node == victim.Endpoint && g.At > killed).At - killed).TotalSeconds);
        _started.Add(
            (others.SelectMany(w => w.Log.Starts).Where(s => s.Work == work && s.At > killed).Min(s => s.At) - killed).TotalSeconds);
        _stepped.Add((Steps().Min() - killed).TotalSeconds);

        victim.Launch();
        await cluster.JoinedAsync(victim);
    }

    // A worker that took a step of exactly one replica of the current round and has not finished it, while no other node does the same.
    private static (ClusterNode, ReplicaRound)? Victim(Cluster cluster)
    {
        var events = cluster.Journal.Read();
        var round = events.Select(e => e.Event).OfType<RunEvent.RoundCommitted>().Max(c => c.Round) + 1;
        var finished = events.Select(e => e.Event).OfType<RunEvent.ReplicaComputed>()
            .Where(c => c.Result.Round == round).Select(c => c.Result.Replica).ToHashSet();
        var hands = cluster.Workers.SelectMany(w => w.Log.FirstSteps
            .Where(s => s.At > w.UpAt && s.Work.Round == round && !finished.Contains(s.Work.Replica))
            .Select(s => (Node: w, s.Work))).ToList();
        return hands.Where(h => hands.Count(o => o.Node == h.Node) == 1 && hands.Count(o => o.Work == h.Work) == 1)
            .OrderBy(_ => Random.Shared.Next()).Select(h => ((ClusterNode, ReplicaRound)?)h).FirstOrDefault();
    }
}
