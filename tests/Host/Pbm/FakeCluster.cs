using System.Runtime.CompilerServices;
using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Host.Tests.Pbm;

/// <summary>A cluster that shows what the test put there, and notes what it was asked to do.</summary>
internal sealed class FakeCluster
{
    public static readonly RunView Tiny = new(
        new RunId("tiny"), RunPhase.Computing, 5, 40, 100, 800, 204_800, 1_638_400, 1600, 2.34567, 2.28714, 3.29966, 12_345, 1e-3,
        Digest.Of([]), "/data/runs/tiny/checkpoints/round-000005.json", 1, 2, null, null);

    private readonly TaskCompletionSource _watched = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _unwatched = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public RunView[] Runs { get; set; } = [Tiny];

    /// <summary>What a watch sees, one after the other; where there is nothing, it waits for its cancellation.</summary>
    public RunView[] Views { get; set; } = [];

    public NodeView[] Nodes { get; set; } = [];

    public ClusterMembers Cluster { get; set; } = new([], null, null);

    /// <summary>Said while a run starts.</summary>
    public string[] Progress { get; set; } = [];

    public string? Refusal { get; set; }

    public TrainingSettings? Started { get; private set; }

    public RunId? Stopped { get; private set; }

    /// <summary>A watch has begun.</summary>
    public Task Watched => _watched.Task;

    /// <summary>A watch has ended, however.</summary>
    public Task Unwatched => _unwatched.Task;

    public ClusterControl Control => new(
        _ => Task.FromResult(Runs),
        (_, cancel) => Watch(cancel),
        (run, _) => Reply(run, () => Stopped = run),
        async (settings, progress, _) =>
        {
            await Task.Yield();
            foreach (var line in Progress)
                progress.Report(line);
            return await Reply(new RunId(settings.Run.Name), () => Started = settings);
        },
        _ => Task.FromResult(Nodes),
        _ => Task.FromResult(Cluster));

    private Task<RunReply> Reply(RunId run, Action then)
    {
        if (Refusal is { } why)
            return Task.FromResult<RunReply>(new RunReply.Refused(run, why));
        then();
        return Task.FromResult<RunReply>(new RunReply.Accepted(run));
    }

    private async IAsyncEnumerable<RunView> Watch([EnumeratorCancellation] CancellationToken cancel)
    {
        try
        {
            _watched.TrySetResult();
            foreach (var view in Views)
            {
                await Task.Yield();
                yield return view;
            }

            if (Views.Length == 0)
                await Task.Delay(Timeout.Infinite, cancel);
        }
        finally
        {
            _unwatched.TrySetResult();
        }
    }
}
