using Elastic.Actors.Control;
using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Evaluation;
using Elastic.Model.Networks;
using Elastic.Model.Training;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>A text that is scored by the nodes of a cluster has the bits that one machine gives it.</summary>
public sealed class EvaluationSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    [Fact]
    public async Task One_node_and_three_of_which_one_is_lost_give_each_row_the_score_of_one_machine()
    {
        using var deadline = new CancellationTokenSource(TinyRun.Patience);
        // While this is not set, nothing but the node that is to be lost scores a piece.
        using var othersGoOn = new ManualResetEventSlim(true);
        var other = new NodeFaults(BeforeDeviceWork: _ => othersGoOn.Wait(deadline.Token));
        await using var seed = await StartAsync("seed", NodeDuty.Seed(), other, deadline.Token);
        var refusal = await Assert.ThrowsAsync<ElasticException>(
            () => seed.Control.CheckpointAsync(new RunName("a"), new Silence(), deadline.Token));
        Assert.Equal("there is no run a: see pbm run list", refusal.Message);
        // With an outer momentum, which no evaluation needs.
        var settings = TinyRun.Settings("a", averaging: AveragingMethod.Nesterov);
        Assert.Null((await _tiny.TrainAsync(seed, settings, null, deadline.Token)).Failure);
        using var checkpoint = await seed.Control.CheckpointAsync(new RunName("a"), new Silence(), deadline.Token);
        Assert.Equal(4, checkpoint.Manifest.Version);
        var text = File.ReadAllText(Path.Combine(_tiny.Root, "text", "07.txt"));
        List<int> tokens = [];
        for (var i = 0; i < 60; i++)
            checkpoint.Tokenizer.Encode(text, tokens);
        var pieces = ScoredPiece.Cut(TextRow.Of("a", null, tokens.ToArray(), 1, 16, 16), r => r.Row)
            .Select(p => (IReadOnlyList<ScoredRow>)[.. p.Select(r => r.Row)]).ToList();
        Assert.InRange(pieces.Count, 4, 12);
        var expected = OnOneMachine(checkpoint, pieces);

        Assert.Equal(expected, await ScoreAsync(seed, checkpoint, pieces, deadline.Token));

        // The one that is lost has begun a piece, and has another one before it.
        using var goesOn = new ManualResetEventSlim();
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var lost = await StartAsync("lost", NodeDuty.Worker(seed.Endpoint), new NodeFaults(BeforeDeviceWork: _ =>
        {
            begun.TrySetResult();
            goesOn.Wait(deadline.Token);
        }), deadline.Token);
        await using var stays = await StartAsync("stays", NodeDuty.Worker(seed.Endpoint), other, deadline.Token);
        while ((await seed.Control.NodesAsync(deadline.Token)).Count(n => n.State == "up") < 3)
            await Task.Delay(20, deadline.Token);
        othersGoOn.Reset();
        var scoring = ScoreAsync(seed, checkpoint, pieces, deadline.Token);
        await begun.Task.WaitAsync(deadline.Token);
        Assert.False(scoring.IsCompleted);
        var ending = lost.DisposeAsync().AsTask();
        othersGoOn.Set();
        Assert.Equal(expected, await scoring);
        goesOn.Set();
        await ending;

        // Nothing stays of an evaluation but its numbers.
        foreach (var name in new[] { "seed", "stays" })
            while (new DirectoryInfo(Path.Combine(_tiny.Root, name, "evaluations")) is { Exists: true } folder
                && folder.EnumerateFileSystemInfos().Any())
                await Task.Delay(20, deadline.Token);
    }

    private Task<ElasticNode> StartAsync(string name, NodeDuty duty, NodeFaults faults, CancellationToken cancel) => ElasticNode.StartAsync(
        NodeSettings.Defaults with { Devices = "cpu:1", DataDir = Path.Combine(_tiny.Root, name) }, duty, _ => { }, faults,
        Transport.Plain, cancel);

    private static async Task<double[]> ScoreAsync(
        ElasticNode seed, EvaluatedCheckpoint checkpoint, IReadOnlyList<IReadOnlyList<ScoredRow>> pieces, CancellationToken cancel)
    {
        var nats = new List<double>();
        await foreach (var piece in seed.Control.ScoreAsync(checkpoint, pieces, Origins.Now("a test"), new Silence(), cancel))
            nats.AddRange(piece);
        return [.. nats];
    }

    private double[] OnOneMachine(EvaluatedCheckpoint checkpoint, IReadOnlyList<IReadOnlyList<ScoredRow>> pieces)
    {
        var folder = new DataPaths(Path.Combine(_tiny.Root, "seed")).Run(checkpoint.Run);
        using var loaded = CheckpointReader.LoadNewest(folder);
        using var device = DeviceBackends.Of(new DeviceId("cpu:0")).Open(
            new DeviceId("cpu:0"), Architectures.Open(loaded.Settings.Model), 0, 2, recompute: RecomputeMode.None);
        device.Attach(loaded.Vectors);
        return new RowScorer(device, 5).Nats([.. pieces.SelectMany(p => p)]);
    }

    private sealed class Silence : IProgress<string>
    {
        public void Report(string value)
        {
        }
    }
}
