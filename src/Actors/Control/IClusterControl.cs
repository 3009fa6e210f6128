using Elastic.Actors.Hosting;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Model.Evaluation;
using Elastic.Storage;

namespace Elastic.Actors.Control;

/// <summary>
/// Everything that a person can ask of the cluster: <c>pbm</c>, the dashboard and the commands call it. Each method may throw an
/// <see cref="ElasticException"/> that says what to do.
/// </summary>
public interface IClusterControl
{
    /// <summary>Models that this machine has fetched from stores, and may fetch.</summary>
    StoredModels Models { get; }

    /// <summary>All runs of the journal, in any order.</summary>
    Task<RunView[]> RunsAsync(CancellationToken cancel);

    /// <summary>Streams the run's views, the present one first; ends when the run is finished or stopped, or cannot go on.</summary>
    IAsyncEnumerable<RunView> WatchAsync(RunName run, CancellationToken cancel);

    /// <summary>What a run was started with; null where there is no run of that name.</summary>
    Task<RememberedRun?> RememberedAsync(RunName run, CancellationToken cancel);

    /// <summary>
    /// Builds the corpus from paths of this machine, unless it is given by its digest and here, then starts or resumes the run.
    /// </summary>
    /// <param name="settings"><c>model.vocabulary</c> may be 0, which takes the tokenizer's.</param>
    /// <param name="progress">What the build says, as lines of text.</param>
    Task<RunReply> StartAsync(
        TrainingSettings settings, Digest? corpus, Origin origin, IProgress<string> progress, CancellationToken cancel);

    /// <summary>What <see cref="StartAsync"/> would come to. Nothing is stored, and nothing starts.</summary>
    Task<StartPreview> PreviewAsync(TrainingSettings settings, Digest? corpus, Origin origin, CancellationToken cancel);

    /// <summary>Asks a run to stop at the next step boundary.</summary>
    Task<RunReply> StopAsync(RunName run, Origin origin, CancellationToken cancel);

    /// <summary>Deletes a run that is not at work, and all that nodes store of it.</summary>
    Task<RunReply> DeleteAsync(RunName run, Origin origin, CancellationToken cancel);

    /// <summary>Asks a run to pause, to go on, or to make a checkpoint.</summary>
    Task<RunReply> AskAsync(RunRequest request, CancellationToken cancel);

    /// <summary>Changes settings of a run from a round on that has not begun, or tells what would change.</summary>
    Task<RunReply> SetAsync(RunRequest.Set set, CancellationToken cancel);

    /// <summary>A run's losses, from the journal; null where there is no run of that name.</summary>
    Task<RunCurve?> CurveAsync(RunName run, CancellationToken cancel);

    /// <summary>Reads what was observed, whichever seed supervised meanwhile.</summary>
    Task<IReadOnlyList<StoredObservation>> ObservedAsync(ObservationQuery query, CancellationToken cancel);

    /// <summary>The newest checkpoint of a run, here or fetched; to be disposed of.</summary>
    /// <param name="progress">What is going on, as lines of text.</param>
    /// <exception cref="ElasticException">There is none, or nobody here has one.</exception>
    Task<PlacedCheckpoint> PlaceCheckpointAsync(RunName run, IProgress<string> progress, CancellationToken cancel);

    /// <summary>The same with what an evaluation needs of it.</summary>
    /// <inheritdoc cref="PlaceCheckpointAsync"/>
    Task<EvaluatedCheckpoint> CheckpointAsync(RunName run, IProgress<string> progress, CancellationToken cancel);

    /// <summary>Has rows scored with a checkpoint by the nodes of the cluster, piece by piece.</summary>
    /// <param name="pieces">See <see cref="ScoredPiece.Cut"/>.</param>
    /// <param name="progress">What is going on, as lines of text.</param>
    /// <returns>For each piece, in order, the sum of the cross-entropies of each row.</returns>
    IAsyncEnumerable<double[]> ScoreAsync(
        EvaluatedCheckpoint checkpoint, IEnumerable<IReadOnlyList<ScoredRow>> pieces, Origin origin, IProgress<string> progress,
        CancellationToken cancel);

    /// <summary>All nodes that are enlisted, in any order.</summary>
    Task<NodeView[]> NodesAsync(CancellationToken cancel);

    /// <summary>Gives a node devices.</summary>
    /// <param name="node">Its address or id.</param>
    /// <param name="devices">A text like <c>node.devices</c>.</param>
    Task<NodeReply> UseDevicesAsync(string node, string devices, Origin origin, CancellationToken cancel);

    /// <summary>Lets a node take no more work and hand over what it has, or take work again.</summary>
    /// <param name="node">Its address or id.</param>
    /// <param name="undo">It is to take work again.</param>
    Task<NodeReply> DrainAsync(string node, bool undo, Origin origin, CancellationToken cancel);

    /// <summary>What the threads and the work of a node do.</summary>
    /// <param name="node">Its address or id.</param>
    Task<NodeReply> ThreadsAsync(string node, Origin origin, CancellationToken cancel);

    /// <summary>The members, as this node sees them.</summary>
    Task<ClusterMembers> ClusterAsync(CancellationToken cancel);

    /// <summary>What this process logs at this severity and above: so many of the newest lines, then each that comes.</summary>
    IAsyncEnumerable<LogLine> LogAsync(LogSeverity severity, int newest, CancellationToken cancel);

    /// <summary>Begins to build a corpus by the nodes, or finds the build of this manifest that is under way; gives its name.</summary>
    Task<string> BuildAsync(BuildPlan plan, Origin origin, CancellationToken cancel);

    /// <summary>All builds of corpora by nodes, the oldest first.</summary>
    Task<IReadOnlyList<BuildStatus>> BuildsAsync(CancellationToken cancel);

    /// <summary>Streams how far a build is, until it is over.</summary>
    IAsyncEnumerable<BuildStatus> WatchBuildAsync(string build, CancellationToken cancel);

    /// <summary>Deletes a corpus from all nodes that are here.</summary>
    /// <param name="name">The beginning of its id, or a run that has read it.</param>
    Task<DeletedCorpus> DeleteCorpusAsync(string name, Origin origin, CancellationToken cancel);

    /// <summary>Stops a build that this seed has under way.</summary>
    Task StopBuildAsync(string build, Origin origin, CancellationToken cancel);
}
