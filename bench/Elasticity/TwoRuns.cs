using System.Text.Json;
using Elastic.Bench.Elasticity.Clusters;
using Elastic.Testing;

namespace Elastic.Bench.Elasticity;

/// <summary>
/// Two runs on two workers: the second one, of higher priority, takes both devices in the middle of a round of the first. Each must end in
/// the weights that it ends in alone.
/// </summary>
internal sealed class TwoRuns(Options options)
{
    private const string Usual = "usual", Urgent = "urgent";

    private static readonly string Configuration = $$"""
        run { name = {{BenchRun.Name}}, replicas = 2, inner-steps = 60, rounds = 6, averaging = nesterov }
        batch { sequences = 8, micro = 8 }
        model { layers = 2, heads = 2, width = 64, context = 64, dropout = 0.1 }
        optimizer { learning-rate = 1e-3, warmup-steps = 10 }
        corpus { tokenizer = byte, held-out = 0.1 }
        """;

    // Of the urgent one.
    private static readonly string[] Other = ["run.rounds=2", "run.seed=43"];

    /// <returns>False where a run's weights are others than alone.</returns>
    public async Task<bool> RunAsync()
    {
        var alone = await WithClusterAsync(async (cluster, start) =>
        {
            await start(Usual, []);
            var usual = await FinishedAsync(cluster, Usual);
            await start(Urgent, Other);
            return (Usual: usual, Urgent: await FinishedAsync(cluster, Urgent));
        });
        var (both, wasTaken) = await WithClusterAsync(async (cluster, start) =>
        {
            await start(Usual, []);
            await cluster.UntilAsync(
                "a round of the first run was committed", async () => Number(await ViewAsync(cluster, Usual), "round") > 0);
            await start(Urgent, [.. Other, "run.priority=5"]);
            await cluster.UntilAsync(
                "the urgent run had both devices", async () => Number(await ViewAsync(cluster, Urgent), "devicesInUse") == 2);
            var taken = Number(await ViewAsync(cluster, Usual), "devicesInUse") == 0;
            var urgent = await FinishedAsync(cluster, Urgent);
            taken &= (await ViewAsync(cluster, Usual)).GetProperty("phase").GetString() != "finished";
            return ((Usual: await FinishedAsync(cluster, Usual), Urgent: urgent), taken);
        });

        Console.WriteLine("two runs of different priority: 1 seed, 2 workers of 1 device");
        Console.WriteLine($"  {"",-10}{"alone",-15}together");
        Console.WriteLine($"  {Usual,-10}{alone.Usual[..12],-15}{both.Usual[..12]}");
        Console.WriteLine($"  {Urgent,-10}{alone.Urgent[..12],-15}{both.Urgent[..12]}");
        Console.WriteLine(wasTaken
            ? "the urgent run had both devices, and ended first"
            : "the urgent run did not have both devices to its end");
        return alone == both && wasTaken;
    }

    private async Task<T> WithClusterAsync<T>(Func<Cluster, Func<string, string[], Task>, Task<T>> act)
    {
        await using var cluster = new Cluster(options.Folder);
        await File.WriteAllTextAsync(cluster.PathOf("bench.conf"), Configuration);
        var corpus = MadeUpText.Write(cluster.PathOf("text"), files: 20, words: 2000);
        await cluster.StartSeedsAsync(1);
        await cluster.StartWorkersAsync(2, "cpu:1");
        return await act(cluster, (run, settings) => cluster.StartRunAsync(run, cluster.PathOf("bench.conf"), corpus, settings));
    }

    private static async Task<string> FinishedAsync(Cluster cluster, string run)
    {
        JsonElement view = default;
        await cluster.UntilAsync($"the run {run} was finished", async () =>
        {
            view = await ViewAsync(cluster, run);
            return view.ValueKind == JsonValueKind.Object && view.GetProperty("phase").GetString() == "finished";
        });
        return view.GetProperty("fingerprint").GetString()!;
    }

    // Nothing while pbm has no answer.
    private static async Task<JsonElement> ViewAsync(Cluster cluster, string run) =>
        (await cluster.LookAsync("run", "list"))?.FirstOrDefault(r => r.GetProperty("run").GetString() == run) ?? default;

    private static int Number(JsonElement run, string key) =>
        run.ValueKind == JsonValueKind.Object && run.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Number
            ? value.GetInt32()
            : -1;
}
