using Elastic.Actors.Nodes;
using Elastic.Actors.Nodes.Devices;
using Elastic.Actors.Nodes.Replicas;
using Elastic.Actors.Work;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Work;
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
        EndsAsync(new ComputeExecutor(), run => new Compute(0, 0, Missing, null, null, run.Plan.At(0)));

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
        using var memory = new ReplicaMemory(run.Layout, run.InnerVectors, new DeviceId("cpu:0"));
        var work = executor.ExecuteAsync(run, order(run), new DeviceContext(
            new DeviceGroup([]), new DeviceMoves(), memory, new WorkActivity("a test"), _ => { }, () => { },
            _ => throw new InvalidOperationException("no device is there to be lost"), stop.Token, CancellationToken.None));
        Assert.False(work.IsCompleted);
        await stop.CancelAsync();
        Assert.Null(await work.WaitAsync(Deadline, TestContext.Current.CancellationToken));
    }
}
