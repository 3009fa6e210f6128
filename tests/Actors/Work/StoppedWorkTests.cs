using System.Net;
using System.Net.Sockets;
using Elastic.Actors.Nodes;
using Elastic.Actors.Nodes.Devices;
using Elastic.Actors.Nodes.Replicas;
using Elastic.Actors.Work;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Work;
using Elastic.Storage;
using Elastic.Testing;
using Elastic.Transfer;

namespace Elastic.Actors.Tests.Work;

/// <summary>Work on devices that is told to stop, or dropped, while it waits for what it starts from.</summary>
public sealed class StoppedWorkTests : TemporaryFolder
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);
    private static readonly Digest Missing = Digest.Of("no node has it"u8);

    [Fact]
    public Task A_replica_ends_at_once_without_an_outcome_where_its_version_has_not_come() =>
        EndsAsync(new ComputeExecutor(), run => new Compute(0, 0, Missing, null, null, run.Setup.Plan.At(0)));

    [Fact]
    public Task An_evaluation_does_so_too() => EndsAsync(new EvaluateExecutor(), _ => new Evaluate(1, Missing));

    [Fact]
    public Task The_scoring_of_rows_does_so_too() => EndsAsync(new ScoreRowsExecutor(), _ => new ScoreRows(Missing, Missing));

    private async Task EndsAsync(WorkExecutor executor, Func<NodeRun, WorkContent> order)
    {
        // Nobody is known who could be asked, and somebody may come.
        using var fetcher = new BlobFetcher(new Peers(new TransferLimits { Patience = TimeSpan.FromHours(1) }), Transport.Plain);
        using var stop = new CancellationTokenSource();
        var run = OpenedRun.Of(Folder, fetcher);
        using var memory = new ReplicaMemory(run.Setup.Layout, run.Setup.InnerVectors, new DeviceId("cpu:0"));
        var work = executor.ExecuteAsync(
            run, order(run), Devices(memory, new WorkActivity("a test"), stop.Token));
        Assert.False(work.IsCompleted);
        await stop.CancelAsync();
        Assert.Null(await work.WaitAsync(Deadline, TestContext.Current.CancellationToken));
    }

    // What it waits for does not come, and it says so itself: it has not ended before.
    [Fact]
    public async Task A_stage_that_is_connected_with_the_others_goes_on_to_its_first_step()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        using var fetcher = new BlobFetcher(
            new Peers(new TransferLimits { Patience = TimeSpan.FromMilliseconds(500) }), Transport.Plain);
        using var stop = new CancellationTokenSource();
        var run = OpenedRun.Of(Folder, fetcher);
        var order = new Compute(0, 0, Missing, null, null, run.Setup.Plan.At(0))
        {
            Stages = [new(new NodeId("b"), $"{other.LocalEndpoint}"), new(run.Node, "127.0.0.1:1")],
            Attempt = "3k9v2mq7",
        };
        using var memory = new ReplicaMemory(run.Setup.Layout, run.Setup.InnerVectors, new DeviceId("cpu:0"));
        var activity = new WorkActivity("a test");
        var work = new ComputeStageExecutor().ExecuteAsync(
            run, new ComputeStage(order, 1), Devices(memory, activity, stop.Token));
        using var first = await other.AcceptTcpClientAsync(deadline.Token);
        await first.GetStream().WriteAsync("HTTP/1.1 101 Switching Protocols\r\n\r\n"u8.ToArray(), deadline.Token);
        while (!$"{activity}".Contains("fetches and loads", StringComparison.Ordinal))
            await Task.Delay(1, deadline.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAsync<BlobLostException>(() => work);
    }

    private static DeviceContext Devices(ReplicaMemory memory, WorkActivity activity, CancellationToken stop) => new(
        new DeviceGroup([], 0), new DeviceMoves(), memory, activity, _ => { }, () => { },
        _ => throw new InvalidOperationException("no device is there to be lost"), stop, CancellationToken.None);
}
