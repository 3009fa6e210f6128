using System.Globalization;
using Elastic.Actors.Nodes;
using Elastic.Bench.Elasticity.Clusters;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Bench.Elasticity;

/// <summary>
/// Runs that read their corpus while it is built (<c>corpus.order = stream</c>), on a seed that builds and two workers that compute. The
/// build stops in the middle until the run has read what is finished and waits; meanwhile processes are killed. The first run begins when
/// the corpus is whole: all others must end in its weights and its chain of digests.
/// </summary>
internal sealed class StreamedRuns(Options options)
{
    private const int TokensPerShard = 2000, Window = 3, FirstStop = 2 * Window, SecondStop = 4 * Window;

    private static readonly string[] Settings = ["corpus.order=stream", $"corpus.stream-window={Window}"];

    private static readonly string Configuration = $$"""
        run { name = {{BenchRun.Name}}, replicas = 2, inner-steps = 10, rounds = 12, averaging = nesterov }
        batch { sequences = 8, micro = 4 }
        model { layers = 1, heads = 2, width = 32, context = 32, dropout = 0.1 }
        optimizer { learning-rate = 1e-3, warmup-steps = 10 }
        corpus { tokenizer = byte, held-out = 0.1 }
        """;

    private readonly List<(string Case, Row Row)> _rows = [];

    /// <summary>The faults of a seed whose build stops behind so many shards, until the file names more.</summary>
    /// <param name="file">Holds the number of shards that may be finished.</param>
    public static NodeFaults Builder(string file) => new(TokensPerShard: TokensPerShard, AfterWindow: shards =>
    {
        while (int.Parse(File.ReadAllText(file), CultureInfo.InvariantCulture) <= shards)
            Thread.Sleep(20);
    });

    /// <returns>False where the answers differ.</returns>
    public async Task<bool> RunAsync()
    {
        await TakeAsync("after the build", null);
        if (!options.Has("short"))
        {
            await TakeAsync("before its end", _ => Task.CompletedTask);
            await TakeAsync("a worker killed", cluster => KilledAsync(cluster, cluster.Workers[0]));
            await TakeAsync("the seed that builds killed", cluster => KilledAsync(cluster, cluster.Seeds[0]));
        }
        await TakeAsync("all of them killed", async cluster =>
        {
            foreach (var node in cluster.Nodes)
                await node.KillAsync();
            foreach (var node in cluster.Nodes)
                node.Launch();
            await cluster.JoinedAsync(cluster.Nodes);
        });

        Console.WriteLine("a run of 12 rounds that reads its corpus while it is built: 1 seed, 2 workers of 1 device");
        Console.WriteLine($"  {"",-30}{"rounds before the",-20}{"windows before",-17}{"weights",-15}chain");
        Console.WriteLine($"  {"",-30}{"build's end",-20}{"round 1, of all",-17}");
        var answers = _rows.Select(r => (r.Row.Fingerprint, r.Row.Chain)).Distinct().Count();
        foreach (var (name, row) in _rows)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"  {name,-30}{row.RoundsBeforeEnd,-20}{$"{row.WindowsBefore} of {row.Windows}",-17}{row.Fingerprint[..12],-15}")
                + row.Chain[..12]);
        Console.WriteLine(answers == 1 ? "one answer" : $"{answers} answers");
        return answers == 1;
    }

    private static async Task KilledAsync(Cluster cluster, ClusterNode node)
    {
        await node.KillAsync();
        node.Launch();
        await cluster.JoinedAsync(node);
    }

    /// <param name="disturb">Called while the run waits for the build; null to build first.</param>
    private async Task TakeAsync(string name, Func<Cluster, Task>? disturb)
    {
        Console.Error.WriteLine(name);
        await using var cluster = new Cluster(options.Folder);
        var (configuration, allowed) = (cluster.PathOf("bench.conf"), cluster.PathOf("allowed"));
        await File.WriteAllTextAsync(configuration, Configuration);
        var corpus = MadeUpText.Write(cluster.PathOf("text"), files: 20, words: 800);
        Allow(allowed, disturb is null ? int.MaxValue : FirstStop);
        var seed = cluster.Seed("seed", launch: new Launch("Elastic.Bench.Elasticity.dll") { Words = ["builder", allowed] });
        await cluster.StartAsync(seed);
        await cluster.StartWorkersAsync(2, "cpu:1");
        if (disturb is null)
        {
            await cluster.StartRunAsync("first", configuration, corpus, [.. Settings, "run.rounds=1"]);
            await cluster.UntilAsync("the corpus was whole", () => HasWhole(seed));
            await PhaseAsync(cluster, "first", "finished");
        }

        await cluster.StartRunAsync(BenchRun.Name, configuration, corpus, Settings);
        var before = 0;
        if (disturb is not null)
        {
            await WaitsAsync(cluster, FirstStop);
            await disturb(cluster);
            // A seed that comes back builds from the beginning when the same command says so.
            await cluster.StartRunAsync(BenchRun.Name, configuration, corpus, Settings);
            Allow(allowed, SecondStop);
            await WaitsAsync(cluster, SecondStop);
            before = Events(cluster).OfType<RunEvent.RoundCommitted>().Count();
            Allow(allowed, int.MaxValue);
        }

        var fingerprint = await PhaseAsync(cluster, BenchRun.Name, "finished");
        var events = Events(cluster);
        _rows.Add((name, new Row(
            before, events.TakeWhile(e => e is not RunEvent.RoundCommitted).OfType<RunEvent.WindowAdded>().Count(),
            events.OfType<RunEvent.WindowAdded>().Count(), fingerprint, events.OfType<RunEvent.RoundCommitted>().Last().ChainHead.Hex)));
        foreach (var node in cluster.Nodes)
            await node.KillAsync();
        using var audit = ElasticProcess.Run(
            "elastic.dll", "corpus", "audit", "--run", BenchRun.Name, "--data-dir", seed.DataDir, "--database", cluster.Database!);
        if (await audit.EndAsync() != 0)
            throw new InvalidOperationException($"the audit of the run \"{name}\" says {audit.Said}");
    }

    private static bool HasWhole(ClusterNode seed) =>
        Directory.EnumerateFiles(Path.Combine(seed.DataDir, "corpora"), "corpus.json", SearchOption.AllDirectories).Any();

    // In one step, because the build looks at it all the time.
    private static void Allow(string file, int shards)
    {
        File.WriteAllText(file + ".new", string.Create(CultureInfo.InvariantCulture, $"{shards}"));
        File.Move(file + ".new", file, overwrite: true);
    }

    // Until it waits for a shard that is not finished, and nothing else can happen.
    private static Task WaitsAsync(Cluster cluster, int shard) => cluster.UntilAsync($"the run waited for shard {shard}", async () =>
        await cluster.LookAsync("run", "status", "-n", BenchRun.Name) is [var run]
        && run.GetProperty("waitsFor").GetString()?.StartsWith($"shard {shard} of the corpus", StringComparison.Ordinal) == true);

    private static async Task<string> PhaseAsync(Cluster cluster, string run, string phase)
    {
        var fingerprint = "";
        await cluster.UntilAsync($"the run {run} was {phase}", async () =>
        {
            if (await cluster.LookAsync("run", "status", "-n", run) is not [var view])
                return false;
            fingerprint = view.GetProperty("fingerprint").GetString() ?? "";
            return view.GetProperty("phase").GetString() == phase;
        });
        return fingerprint;
    }

    // Those of the newest run.
    private static List<RunEvent> Events(Cluster cluster)
    {
        var all = cluster.Journal.Read().Select(e => e.Event).ToList();
        return all.FindAll(e => e.RunId == all[^1].RunId);
    }

    private sealed record Row(int RoundsBeforeEnd, int WindowsBefore, int Windows, string Fingerprint, string Chain);
}
