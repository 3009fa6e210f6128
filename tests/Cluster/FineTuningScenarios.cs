using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Exchange;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>Adapters that are trained beside the weights of a folder, on machines that die and join.</summary>
public sealed class FineTuningScenarios : ClusterScenario
{
    [Fact]
    public async Task A_worker_that_is_killed_and_one_that_joins_do_not_show_in_what_is_learnt_beside_frozen_weights()
    {
        var folder = Path.Combine(Cluster.Files.Root, "base");
        WriteModel(folder);
        // For some rounds after the death who came late waits a second for blocks whose reader was there, and is overtaken.
        string[] settings = [$"model.init={folder}", "model.lora-rank=4", "run.rounds=16"];
        var go = Path.Combine(Cluster.Files.Root, "go");
        var held = Launch.Faulty("held") with { Environment = new Dictionary<string, string> { ["ELASTIC_GO"] = go } };
        var (seed, workers) = await Cluster.StartAsync(Here.Elastic, [held, Here.Faulty("held", ("ELASTIC_GO", go))], settings);

        await Cluster.UntilAsync("both were in the middle of round 1", () => workers.All(w => w.Begun.Any(b => b.Round == 1)));
        await workers[0].KillAsync();
        // It has none of the frozen weights; what the other one holds waits for it.
        var late = Cluster.Worker("late", launch: Here.Elastic);
        await Cluster.StartAsync(late);
        await Cluster.UntilAsync("who came late worked in that round", () => late.Begun.Any(b => b.Round == 1));
        await File.WriteAllTextAsync(go, "");
        var events = await Cluster.SameAsUndisturbedAsync(seed, settings);

        var initialized = Assert.Single(events.OfType<RunEvent.RunInitialized>());
        Assert.NotNull(initialized.Frozen);
        // What the one that was killed had begun in round 1 is lost; whether it came in time for round 0 decides nothing here.
        Assert.Contains(events.OfType<RunEvent.ReplicaComputed>(), e => e.Node == late.Id);
    }

    // Of the shape that the scenarios' configuration has.
    private static void WriteModel(string folder)
    {
        var model = ModelSettings.Defaults with { Layers = 1, Heads = 2, Width = 32, Context = 32, Vocabulary = 257 };
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(model));
        Initialization.Fill(vectors, 3);
        ModelFolderWriter.Write(folder, vectors, model, ElementType.Float32, 256, new Dictionary<string, byte[]>());
    }
}
