using System.Globalization;
using Elastic.Bench.Elasticity.Clusters;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Bench.Elasticity;

/// <summary>
/// From the start of a worker's process, in the middle of a round of a GPT-2 of 124 million parameters, to its first step that counts. With
/// certificates, a cluster with them and one without take turns.
/// </summary>
internal sealed class FirstStepOfAJoiner(Options options)
{
    // The worker that is there already computes when nobody else wants a processor: it stands for one on a machine of its own, and the
    // processors of this one are for what carries the joiner's state, as those of two machines would be.
    private static readonly Launch Yielding = Launch.Elastic with { Wrapper = ["nice", "-n", "19"] };

    // Against the plain cluster, in the same turn.
    private readonly Samples _ratio = new();

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
        var gbit = double.Parse(options.Text("gbit-per-second", "0"), CultureInfo.InvariantCulture);
        var joiner = gbit > 0
            ? new Launch("Elastic.Bench.Elasticity.dll") { Words = ["paced", (gbit * 1e9 / 8).ToString(CultureInfo.InvariantCulture)] }
            : null;
        await using var plain = new Contender("plain", options.Folder);
        await using var encrypted = options.Has("tls") ? new Contender("mutual TLS", options.Folder) : null;
        encrypted?.Cluster.UseCertificates();
        Contender[] contenders = encrypted is null ? [plain] : [plain, encrypted];
        foreach (var contender in contenders)
        {
            await contender.Cluster.StartSeedsAsync(1);
            await contender.Cluster.StartAsync(contender.Cluster.AddWorker("cpu:1", Yielding));
        }

        for (var turn = 0; turn < turns; turn++)
        {
            for (var i = 0; i < contenders.Length; i++)
            {
                var contender = contenders[(turn + i) % contenders.Length];
                await contender.Cluster.StartRunAsync(run);
                await contender.TakeTurnAsync(joiner);
                if (contenders.Length > 1)
                    await contender.Cluster.StopRunAsync();
                Report.Turn(turn, turns, contender.SinceUp);
            }

            if (encrypted is not null)
                _ratio.Add(encrypted.Stepped.Last / plain.Stepped.Last);
        }

        Console.WriteLine(
            $"a worker joins in the middle of a round: seconds from the start of its process; medians of {turns} (quartiles)");
        Console.WriteLine($"1 seed, 1 worker of 1 device and the one that joins, {Environment.ProcessorCount} cores, {run}"
            + (gbit > 0 ? $"; {gbit} Gbit/s to the one that joins" : ""));
        foreach (var contender in contenders)
        {
            Console.WriteLine(contender.Name);
            Report.Row("it is up", contender.Up);
            Report.Row("it starts a replica", contender.Started);
            Report.Row("its first step of a replica that counts", contender.Stepped);
            Report.Row("the same since it was up (aim: < 10)", contender.SinceUp);
        }

        if (encrypted is not null)
            Report.Row("mutual TLS against plain, until the first step", _ratio);
    }

    /// <summary>A cluster, and the figures of its turns.</summary>
    private sealed class Contender(string name, string folder) : IAsyncDisposable
    {
        public string Name => name;

        public Cluster Cluster { get; } = new(folder);

        public Samples Up { get; } = new();

        public Samples Started { get; } = new();

        public Samples Stepped { get; } = new();

        public Samples SinceUp { get; } = new();

        public async Task TakeTurnAsync(Launch? launch)
        {
            // The round has just begun: its first replica takes steps, the others wait.
            var begun = (await Cluster.CommitAfterAsync(DateTime.UtcNow)).At;
            await Cluster.UntilAsync("the round takes steps", () => Cluster.Workers[0].Log.FirstSteps.Any(s => s.At > begun));

            var joiner = Cluster.AddWorker("cpu:1", launch);
            joiner.Launch();
            await Cluster.JoinedAsync(joiner);
            (DateTime At, ReplicaRound Work) step = default;
            await Cluster.UntilAsync("a result of the new worker counts", () =>
            {
                var counted = Cluster.Journal.Read().Select(e => e.Event).OfType<RunEvent.ReplicaComputed>()
                    .Where(c => c.Node == joiner.Id).Select(c => new ReplicaRound(c.Result.Replica, c.Result.Round)).ToHashSet();
                step = joiner.Log.FirstSteps.FirstOrDefault(s => counted.Contains(s.Work));
                return step.At != default;
            });

            Up.Add((joiner.UpAt!.Value - joiner.Process.StartedAt).TotalSeconds);
            Started.Add((joiner.Log.Starts.First(s => s.Work == step.Work).At - joiner.Process.StartedAt).TotalSeconds);
            Stepped.Add((step.At - joiner.Process.StartedAt).TotalSeconds);
            SinceUp.Add((step.At - joiner.UpAt.Value).TotalSeconds);
            await joiner.RemoveAsync();
        }

        public ValueTask DisposeAsync() => Cluster.DisposeAsync();
    }
}
