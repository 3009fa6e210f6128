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
        while ((await seed.Control.Nodes(deadline.Token)).Length < 2)
            await Task.Delay(20, deadline.Token);
        Assert.True(await worker.LeaveAsync(Deadline));
        var ending = worker.DisposeAsync().AsTask();
        while (await seed.Control.Nodes(deadline.Token) is { Length: > 1 } nodes)
        {
            Assert.DoesNotContain(nodes, n => n.State == "suspected");
            await Task.Delay(20, deadline.Token);
        }

        await ending;
        Assert.Equal("up", Assert.Single(await seed.Control.Nodes(deadline.Token)).State);
    }

    private Task<ElasticNode> StartAsync(string name, NodeDuty duty) => ElasticNode.StartAsync(
        NodeSettings.Defaults with { Devices = "none", DataDir = Path.Combine(Folder, name) }, duty, _ => { });
}
