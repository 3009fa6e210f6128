using Elastic.Actors.Control;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Hosting;

public sealed class LeavingSpecs : TemporaryFolder
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_worker_that_left_in_order_is_never_suspected_and_is_gone_from_the_list_when_its_process_ends()
    {
        await using var seed = await StartAsync("seed", NodeDuty.Seed());
        var worker = await StartAsync("worker", NodeDuty.Worker(seed.Endpoint));
        using var deadline = new CancellationTokenSource(Deadline);
        while ((await seed.Control.NodesAsync(deadline.Token)).Length < 2)
            await Task.Delay(20, deadline.Token);
        Assert.Null(await worker.LeaveAsync(Deadline));
        var ending = worker.DisposeAsync().AsTask();
        while (await seed.Control.NodesAsync(deadline.Token) is { Length: > 1 } nodes)
        {
            Assert.DoesNotContain(nodes, n => n.State == "suspected");
            await Task.Delay(20, deadline.Token);
        }

        await ending;
        Assert.Equal("up", Assert.Single(await seed.Control.NodesAsync(deadline.Token)).State);
    }

    // As where all nodes of a cluster are asked to leave at once.
    [Fact]
    public async Task A_worker_whose_seed_has_left_does_not_wait_for_somebody_to_take_over()
    {
        MadeUpText.Write(Path.Combine(Folder, "text"), files: 8, words: 400);
        using var deadline = new CancellationTokenSource(Deadline);
        await using var worker = await WithRunAsync();
        Assert.Equal("no seed is left that could take over", await worker.LeaveAsync(Deadline, TimeSpan.FromSeconds(1)));

        async Task<ElasticNode> WithRunAsync()
        {
            await using var seed = await StartAsync("seed", NodeDuty.Seed());
            var node = await StartAsync("worker", NodeDuty.Worker(seed.Endpoint), "cpu:1");
            var settings = TinySettings.Of("a", rounds: 1000, innerSteps: 100);
            var corpus = await seed.BuildCorpusAsync(
                settings.Corpus with { Sources = [Path.Combine(Folder, "text")] }, null, deadline.Token);
            await seed.StartRunAsync(settings, corpus, Origins.Now("a test"));
            await foreach (var view in seed.WatchAsync(new RunName("a"), deadline.Token))
                if (view.Steps > 0)
                    break;
            return node;
        }
    }

    private Task<ElasticNode> StartAsync(string name, NodeDuty duty, string devices = "none") => ElasticNode.StartAsync(
        NodeSettings.Defaults with { Devices = devices, DataDir = Path.Combine(Folder, name) }, duty, _ => { });
}
