using System.Runtime.CompilerServices;
using Elastic.Actors.Control;
using Elastic.Actors.Hosting;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Model.Evaluation;
using Elastic.Storage;

namespace Elastic.Host.Tests.Pbm;

/// <summary>A cluster that shows what the test put there, and notes what it was asked to do.</summary>
internal sealed class FakeCluster : IClusterControl
{
    public static readonly RunView Tiny = Tests.Views.Tiny;

    private readonly TaskCompletionSource _watched = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _unwatched = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public RunView[] Runs { get; set; } = [Tiny];

    /// <summary>What those see who ask for the runs, one after the other; then <see cref="Runs"/>.</summary>
    public Queue<RunView[]> RunsByTurns { get; set; } = new();

    /// <summary>What a watch sees, one after the other; where there is nothing, it waits for its cancellation.</summary>
    public RunView[] Views { get; set; } = [];

    public NodeView[] Nodes { get; set; } = [];

    public ClusterMembers Cluster { get; set; } = new([], null, null, "loopback only");

    /// <summary>Said while a run starts.</summary>
    public string[] Progress { get; set; } = [];

    public string? Refusal { get; set; }

    public TrainingSettings? Started { get; private set; }

    public RunName? Stopped { get; private set; }

    public RunName? Deleted { get; private set; }

    /// <summary>Pauses, resumes and checkpoints; a checkpoint is to have version 8.</summary>
    public List<RunRequest> Asked { get; } = [];

    /// <summary>The node that was given devices, and which ones.</summary>
    public (string Node, string Devices) Used { get; private set; }

    /// <summary>The node that was drained, or (true) takes work again.</summary>
    public (string Node, bool Undo) Drained { get; private set; }

    /// <summary>What those see who ask for the nodes, one after the other; then <see cref="Nodes"/>.</summary>
    public Queue<NodeView[]> NodesByTurns { get; set; } = new();

    /// <summary>The run that the journal has.</summary>
    public RememberedRun? Remembered { get; set; }

    /// <summary>The folder of models that come from stores.</summary>
    public string Models { get; init; } = "no-models";

    /// <summary>What a node of that address or id answers about its threads.</summary>
    public Func<string, NodeReply.Threads> Threads { get; set; } = node => new NodeReply.Threads(node, 1, [], []);

    /// <summary>What a start of these settings would come to.</summary>
    public Func<TrainingSettings, Digest?, StartPreview> Preview { get; set; } =
        (_, _) => throw new InvalidOperationException("this test previews no start");

    /// <summary>Oldest first.</summary>
    public List<StoredObservation> Observed { get; } = [];

    public List<RunCurve> Curves { get; } = [];

    public LogFeed Log { get; } = new();

    /// <summary>The corpus that the newest start goes on with.</summary>
    public Digest? Corpus { get; private set; }

    /// <summary>What the newest start is answered with, besides that it is accepted.</summary>
    public string? Notice { get; set; }

    /// <summary>What starts and changes are answered about the run.</summary>
    public bool IsFinished { get; set; }

    /// <summary>The newest change of settings that was asked for.</summary>
    public RunRequest.Set? Request { get; private set; }

    /// <summary>Who asked for the newest start or stop.</summary>
    public Origin? Asker { get; private set; }

    /// <summary>What an evaluation scores.</summary>
    public EvaluatedCheckpoint? Checkpoint { get; set; }

    /// <summary>Of a name there may be several: a watch sees them one after the other.</summary>
    public List<BuildStatus> Builds { get; } = [];

    /// <summary>The newest build that was asked for.</summary>
    public BuildPlan? Planned { get; private set; }

    public string? StoppedBuild { get; private set; }

    /// <summary>What a deletion of a corpus comes to; null where it is refused.</summary>
    public DeletedCorpus? DeletedCorpus { get; set; }

    /// <summary>A watch has begun.</summary>
    public Task Watched => _watched.Task;

    /// <summary>A watch has ended, however.</summary>
    public Task Unwatched => _unwatched.Task;

    StoredModels IClusterControl.Models => new(Models);

    public Task<RunView[]> RunsAsync(CancellationToken cancel) =>
        Task.FromResult(RunsByTurns.TryDequeue(out var next) ? next : Runs);

    public async IAsyncEnumerable<RunView> WatchAsync(RunName run, [EnumeratorCancellation] CancellationToken cancel)
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

    public Task<RememberedRun?> RememberedAsync(RunName run, CancellationToken cancel) =>
        Task.FromResult(Remembered is { } known && known.Id.Name == run ? known : null);

    public async Task<RunReply> StartAsync(
        TrainingSettings settings, Digest? corpus, Origin origin, IProgress<string> progress, CancellationToken cancel)
    {
        Corpus = corpus;
        await Task.Yield();
        foreach (var line in Progress)
            progress.Report(line);
        return await Reply(new RunName(settings.Run.Name), origin, () => Started = settings);
    }

    public Task<StartPreview> PreviewAsync(TrainingSettings settings, Digest? corpus, Origin origin, CancellationToken cancel)
    {
        Asker = origin;
        return Task.FromResult(Preview(settings, corpus));
    }

    public Task<RunReply> StopAsync(RunName run, Origin origin, CancellationToken cancel) => Reply(run, origin, () => Stopped = run);

    public Task<RunReply> DeleteAsync(RunName run, Origin origin, CancellationToken cancel) => Reply(run, origin, () => Deleted = run);

    public Task<RunReply> AskAsync(RunRequest request, CancellationToken cancel) =>
        Reply(request.Run, request.Origin, () => Asked.Add(request), request is RunRequest.Checkpoint ? 8 : null);

    public Task<RunReply> SetAsync(RunRequest.Set set, CancellationToken cancel)
    {
        Request = set;
        return Task.FromResult<RunReply>(Refusal is { } why
            ? new RunReply.Refused(set.Run, why) : new RunReply.Accepted(set.Run, Tiny.RunId, Notice) { IsFinished = IsFinished });
    }

    public Task<RunCurve?> CurveAsync(RunName run, CancellationToken cancel) => Task.FromResult(Curves.Find(c => c.Id.Name == run));

    public Task<IReadOnlyList<StoredObservation>> ObservedAsync(ObservationQuery query, CancellationToken cancel)
    {
        StoredObservation[] all;
        lock (Observed)
            all = [.. Observed];
        var found = all.Where(o => o.Id > query.After && (query.Run is null || (o.What as RunObservation)?.RunId == query.Run)
            && (query.Kinds?.Contains(o.What?.GetType()) ?? true)).ToList();
        return Task.FromResult<IReadOnlyList<StoredObservation>>(
            [.. query.Newest ? found.TakeLast(query.AtMost) : found.Take(query.AtMost)]);
    }

    public Task<PlacedCheckpoint> PlaceCheckpointAsync(RunName run, IProgress<string> progress, CancellationToken cancel) =>
        Task.FromResult(new PlacedCheckpoint(Runs.Single(r => r.Name == run).Checkpoint
            ?? throw new ElasticException($"run {run} has no checkpoint yet")));

    public Task<EvaluatedCheckpoint> CheckpointAsync(RunName run, IProgress<string> progress, CancellationToken cancel) =>
        Task.FromResult(Checkpoint ?? throw new ElasticException($"there is no run {run}"));

    // Two tokens are equally likely.
    public async IAsyncEnumerable<double[]> ScoreAsync(
        EvaluatedCheckpoint checkpoint, IEnumerable<IReadOnlyList<ScoredRow>> pieces, Origin origin, IProgress<string> progress,
        [EnumeratorCancellation] CancellationToken cancel)
    {
        Asker = origin;
        foreach (var line in Progress)
            progress.Report(line);
        foreach (var piece in pieces)
        {
            await Task.Yield();
            yield return [.. piece.Select(row => row.Counted * Math.Log(2))];
        }
    }

    public Task<NodeView[]> NodesAsync(CancellationToken cancel) =>
        Task.FromResult(NodesByTurns.TryDequeue(out var then) ? then : Nodes);

    public Task<NodeReply> UseDevicesAsync(string node, string devices, Origin origin, CancellationToken cancel)
    {
        (Asker, Used) = (origin, (node, devices));
        return Reply(() => new NodeReply.HasDevices("10.0.0.1:4053", [new("cpu:0"), new("cpu:2")], Notice));
    }

    public Task<NodeReply> DrainAsync(string node, bool undo, Origin origin, CancellationToken cancel)
    {
        (Asker, Drained) = (origin, (node, undo));
        return Reply(() => new NodeReply.Drains(node, !undo));
    }

    public Task<NodeReply> ThreadsAsync(string node, Origin origin, CancellationToken cancel)
    {
        Asker = origin;
        return Reply(() => Threads(node));
    }

    public Task<ClusterMembers> ClusterAsync(CancellationToken cancel) => Task.FromResult(Cluster);

    public IAsyncEnumerable<LogLine> LogAsync(LogSeverity severity, int newest, CancellationToken cancel) =>
        Log.FollowAsync(severity, newest, cancel);

    public Task<string> BuildAsync(BuildPlan plan, Origin origin, CancellationToken cancel)
    {
        (Planned, Asker) = (plan, origin);
        return Refusal is { } why ? throw new ElasticException(why) : Task.FromResult(Builds[0].Build);
    }

    public Task<IReadOnlyList<BuildStatus>> BuildsAsync(CancellationToken cancel) =>
        Task.FromResult<IReadOnlyList<BuildStatus>>(Builds);

    public async IAsyncEnumerable<BuildStatus> WatchBuildAsync(string build, [EnumeratorCancellation] CancellationToken cancel)
    {
        foreach (var status in Builds.Where(b => b.Build == build).ToList())
        {
            await Task.Yield();
            yield return status;
        }
    }

    public Task<DeletedCorpus> DeleteCorpusAsync(string name, Origin origin, CancellationToken cancel)
    {
        Asker = origin;
        return Task.FromResult(DeletedCorpus ?? throw new ElasticException($"the corpus {name} is needed"));
    }

    public Task StopBuildAsync(string build, Origin origin, CancellationToken cancel)
    {
        (StoppedBuild, Asker) = (build, origin);
        return Task.CompletedTask;
    }

    private Task<NodeReply> Reply(Func<NodeReply> reply) =>
        Task.FromResult(Refusal is { } why ? new NodeReply.Refused(why) : reply());

    private Task<RunReply> Reply(RunName run, Origin origin, Action then, int? checkpoint = null)
    {
        Asker = origin;
        if (Refusal is { } why)
            return Task.FromResult<RunReply>(new RunReply.Refused(run, why));
        then();
        return Task.FromResult<RunReply>(new RunReply.Accepted(run, new RunId($"{run}-3k9v2mq7"), Notice)
        {
            Checkpoint = checkpoint,
            IsFinished = IsFinished,
        });
    }
}
