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
/// Everything that a person can ask of the cluster; <c>pbm</c> calls these functions. The cluster passes its own, a test passes others.
/// Each may throw an <see cref="ElasticException"/> that says what to do.
/// </summary>
/// <param name="Runs">All runs of the journal, in any order.</param>
/// <param name="Watch">Streams the run's views, the present one first; ends when the run is finished or stopped, or cannot go on.</param>
/// <param name="Stop">Asks a run to stop at the next step boundary.</param>
/// <param name="Delete">Deletes a run that is not at work, and all that nodes store of it.</param>
/// <param name="Remembered">What a run was started with; null where there is no run of that name.</param>
/// <param name="Start">
/// Builds the corpus from paths of this machine, unless it is given by its digest and here, then starts or resumes the run.
/// Reports its progress as lines of text.
/// <c>model.vocabulary</c> may be 0, which takes the tokenizer's.
/// </param>
/// <param name="Nodes">All nodes that are enlisted, in any order.</param>
/// <param name="UseDevices">Gives a node, by its address or id, the devices that a text like <c>node.devices</c> names.</param>
/// <param name="Cluster">The members, as this node sees them.</param>
/// <param name="Checkpoint">The newest checkpoint of a run that is whole here.</param>
/// <param name="Score">
/// Has rows scored with a checkpoint by the nodes of the cluster, piece by piece (<see cref="ScoredPiece.Cut"/>): for each piece, in order,
/// the sum of the cross-entropies of each row. Reports its progress as lines of text.
/// </param>
public sealed record ClusterControl(
    Func<CancellationToken, Task<RunView[]>> Runs,
    Func<RunName, CancellationToken, IAsyncEnumerable<RunView>> Watch,
    Func<RunName, Origin, CancellationToken, Task<RunReply>> Stop,
    Func<RunName, Origin, CancellationToken, Task<RunReply>> Delete,
    Func<RunName, CancellationToken, Task<RememberedRun?>> Remembered,
    Func<TrainingSettings, Digest?, Origin, IProgress<string>, CancellationToken, Task<RunReply>> Start,
    Func<CancellationToken, Task<NodeView[]>> Nodes,
    Func<string, string, Origin, CancellationToken, Task<NodeReply>> UseDevices,
    Func<CancellationToken, Task<ClusterMembers>> Cluster,
    Func<RunName, CancellationToken, Task<EvaluatedCheckpoint>> Checkpoint,
    Func<EvaluatedCheckpoint, IEnumerable<IReadOnlyList<ScoredRow>>, Origin, IProgress<string>, CancellationToken,
        IAsyncEnumerable<double[]>> Score)
{
    /// <summary>Asks a run to pause, to go on, or to make a checkpoint.</summary>
    public required Func<RunRequest, CancellationToken, Task<RunReply>> Ask { get; init; }

    /// <summary>Lets a node, by its address or id, take no more work and hand over what it has, or (true) take work again.</summary>
    public required Func<string, bool, Origin, CancellationToken, Task<NodeReply>> Drain { get; init; }

    /// <summary>What <c>Start</c> would come to. Nothing is stored, and nothing starts.</summary>
    public required Func<TrainingSettings, Digest?, Origin, CancellationToken, Task<StartPreview>> Preview { get; init; }

    /// <summary>Models that this machine has fetched from stores, and may fetch.</summary>
    public required StoredModels Models { get; init; }

    /// <summary>What the threads and the work of a node do, by its address or id.</summary>
    public required Func<string, Origin, CancellationToken, Task<NodeReply>> Threads { get; init; }

    /// <summary>Changes settings of a run from a round on that has not begun, or tells what would change.</summary>
    public required Func<RunRequest.Set, CancellationToken, Task<RunReply>> Set { get; init; }

    /// <summary>Reads what was observed, whichever seed supervised meanwhile.</summary>
    public required Func<ObservationQuery, CancellationToken, Task<IReadOnlyList<StoredObservation>>> Observed { get; init; }

    /// <summary>A run's losses, from the journal; null where there is no run of that name.</summary>
    public required Func<RunName, CancellationToken, Task<RunCurve?>> Curve { get; init; }

    /// <summary>What this process logs at this severity and above: so many of the newest lines, then each that comes.</summary>
    public required Func<LogSeverity, int, CancellationToken, IAsyncEnumerable<LogLine>> Log { get; init; }

    /// <summary>Begins to build a corpus by the nodes, or finds the build of this manifest that is under way; gives its name.</summary>
    public required Func<BuildPlan, Origin, CancellationToken, Task<string>> Build { get; init; }

    /// <summary>All builds of corpora by nodes, the oldest first.</summary>
    public required Func<CancellationToken, Task<IReadOnlyList<BuildStatus>>> Builds { get; init; }

    /// <summary>Streams how far a build is, until it is over.</summary>
    public required Func<string, CancellationToken, IAsyncEnumerable<BuildStatus>> WatchBuild { get; init; }

    /// <summary>Deletes a corpus, by the beginning of its id or a run that has read it, from all nodes that are here.</summary>
    public required Func<string, Origin, CancellationToken, Task<DeletedCorpus>> DeleteCorpus { get; init; }

    /// <summary>Stops a build that this seed has under way.</summary>
    public required Func<string, Origin, CancellationToken, Task> StopBuild { get; init; }
}
