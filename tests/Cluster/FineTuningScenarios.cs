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
        string[] settings = [$"model.init={folder}", "model.lora-rank=4", "run.rounds=6"];
        var (seed, workers) = await Cluster.StartAsync(Here.Elastic, [Launch.Slow, Here.Slow], settings);

        await Cluster.RoundAsync(2);
        await workers[0].KillAsync();
        Assert.NotEqual("finished", Cluster.Phase);
        // It has none of the frozen weights.
        await Cluster.StartAsync(Cluster.Worker("late", launch: Here.Elastic));
        var events = await Cluster.SameAsUndisturbedAsync(seed, settings);

        var initialized = Assert.Single(events.OfType<RunEvent.RunInitialized>());
        Assert.NotNull(initialized.Frozen);
        Assert.Contains(events.OfType<RunEvent.ReplicaComputed>(), e => e.Node == workers[0].Id);
        Assert.Contains(events.OfType<RunEvent.ReplicaComputed>().TakeLast(8), e => e.Node != workers[0].Id);
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
