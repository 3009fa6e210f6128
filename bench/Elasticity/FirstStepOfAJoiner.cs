using Elastic.Bench.Elasticity.Clusters;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Bench.Elasticity;

/// <summary>
/// From the start of a worker's process, in the middle of a round of a GPT-2 of 124 million parameters, to its first step that counts.
/// </summary>
internal sealed class FirstStepOfAJoiner(Options options)
{
    private readonly Samples _up = new(), _started = new(), _stepped = new(), _sinceUp = new();

    public async Task RunAsync()
    {
        var turns = options.Number("turns", 10);
        // More replicas than devices, so that some are not started yet when the worker comes.
        var run = new BenchRun(options.Number("replicas", 3), options.Number("inner-steps", 20))
        {
            Layers = options.Number("layers", 12),
            Width = options.Number("width", 768),
            Heads = options.Number("heads", 12),
            Vocabulary = options.Number("vocabulary", 50257),
            Sequences = 1,
        };
        await using var cluster = new Cluster(options.Folder);
        if (options.Has("tls"))
            cluster.UseCertificates();
        await cluster.StartSeedsAsync(1);
        await cluster.StartWorkersAsync(1, "cpu:1");
        await cluster.StartRunAsync(run);
        for (var turn = 0; turn < turns; turn++)
        {
            await TakeTurnAsync(cluster);
            Report.Turn(turn, turns, _sinceUp);
        }

        Console.WriteLine(
            $"a worker joins in the middle of a round: seconds from the start of its process; medians of {turns} (quartiles)");
        Console.WriteLine($"1 seed, 1 worker of 1 device and the one that joins, {Environment.ProcessorCount} cores, {run}"
            + (options.Has("tls") ? ", mutual TLS" : ""));
        Report.Row("it is up", _up);
        Report.Row("it starts a replica", _started);
        Report.Row("its first step of a replica that counts", _stepped);
        Report.Row("the same since it was up (aim: < 10)", _sinceUp);
    }

    private async Task TakeTurnAsync(Cluster cluster)
    {
        // The round has just begun: its first replica takes steps, the others wait.
        var begun = (await cluster.CommitAfterAsync(DateTime.UtcNow)).At;
        await cluster.UntilAsync("the round takes steps", () => cluster.Workers[0].Log.FirstSteps.Any(s => s.At > begun));

        var joiner = cluster.AddWorker("cpu:1");
        joiner.Launch();
        await cluster.JoinedAsync(joiner);
        (DateTime At, ReplicaRound Work) step = default;
        await cluster.UntilAsync("a result of the new worker counts", () =>
        {
            var counted = cluster.Journal.Read().Select(e => e.Event).OfType<RunEvent.ReplicaComputed>()
                .Where(c => c.Node == joiner.Id).Select(c => new ReplicaRound(c.Result.Replica, c.Result.Round)).ToHashSet();
            step = joiner.Log.FirstSteps.FirstOrDefault(s => counted.Contains(s.Work));
            return step.At != default;
        });

        _up.Add((joiner.UpAt!.Value - joiner.Process.StartedAt).TotalSeconds);
        _started.Add((joiner.Log.Starts.First(s => s.Work == step.Work).At - joiner.Process.StartedAt).TotalSeconds);
        _stepped.Add((step.At - joiner.Process.StartedAt).TotalSeconds);
        _sinceUp.Add((step.At - joiner.UpAt.Value).TotalSeconds);
        await joiner.RemoveAsync();
    }
}
