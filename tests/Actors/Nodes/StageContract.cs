using System.Collections.Concurrent;
using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>Several nodes compute one replica, a stage of the network each, whatever kind of device they have.</summary>
/// <param name="devices">Of each node.</param>
public abstract class StageContract(string devices) : IDisposable
{
    private readonly TinyRun _tiny = new();
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromMinutes(2));

    public void Dispose()
    {
        _deadline.Dispose();
        _tiny.Dispose();
        GC.SuppressFinalize(this);
    }

    // Three nodes, two stages. In the middle of the second round a node that has one is lost.
    [Theory]
    [InlineData("adamw", 0)]
    [InlineData("adamw", 2)]
    [InlineData("muon", 0)]
    public async Task Two_nodes_with_a_stage_each_give_the_fingerprint_of_one_also_when_one_is_lost_in_the_middle_of_a_round(
        string optimizer, int rank)
    {
        var settings = TinyRun.Settings("a", rounds: 3);
        settings = settings with
        {
            Model = settings.Model with { Layers = 2, Lora = settings.Model.Lora with { Rank = rank } },
            Optimizer = settings.Optimizer with { Kind = optimizer },
        };
        var (steps, lost) = (new ConcurrentDictionary<(string Node, int Round), int>(), new TaskCompletionSource<string>());
        var nodes = new Dictionary<string, ElasticNode>();
        await using var seed = nodes["seed"] = await StartAsync("seed", NodeDuty.Seed());
        var expected = await _tiny.TrainAsync(seed, settings, null, _deadline.Token);
        steps.Clear();
        foreach (var name in new[] { "w1", "w2" })
            nodes[name] = await StartAsync(name, NodeDuty.Worker(seed.Endpoint));
        var ending = lost.Task.ContinueWith(
            name => nodes[name.Result].DisposeAsync().AsTask(), TaskScheduler.Default).Unwrap();

        var view = await _tiny.TrainAsync(
            seed, settings with { Run = settings.Run with { Name = "b", Stages = 2 } }, null, _deadline.Token);

        Assert.Equal((RunPhase.Finished, expected.Fingerprint), (view.Phase, view.Fingerprint));
        // Two at least have taken all steps: one more begins where an order is given again, since a busy node has not said that it has it.
        foreach (var round in new[] { 0, 2 })
            Assert.True(
                steps.Count(s => s.Key.Round == round && s.Value >= 3) >= 2, $"round {round}: {string.Join(", ", steps)}");
        Assert.Contains(steps, s => s.Key == (lost.Task.Result, 1));
        Assert.DoesNotContain(steps, s => s.Key == (lost.Task.Result, 2));
        await ending;
        foreach (var name in new[] { "w1", "w2" }.Where(n => n != lost.Task.Result))
            await nodes[name].DisposeAsync();

        Task<ElasticNode> StartAsync(string name, NodeDuty duty) => ElasticNode.StartAsync(
            NodeSettings.Defaults with { Devices = devices, DataDir = Path.Combine(_tiny.Root, name) }, duty, _ => { },
            new NodeFaults(AfterStep: async (round, _) =>
            {
                var taken = steps.AddOrUpdate((name, round), 1, (_, n) => n + 1);
                if (round == 1 && taken == 2 && name != "seed" && lost.TrySetResult(name))
                    await Task.Delay(Timeout.Infinite, _deadline.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }), Transport.Plain, _deadline.Token);
    }
}
