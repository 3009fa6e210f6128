using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Control;

/// <summary>
/// Everything that a person at a console can ask of the cluster: what <c>pbm</c> stands on. Functions, so that the cluster passes its own and
/// a test passes others. Each may throw an <see cref="ElasticException"/> that says what to do.
/// </summary>
/// <param name="Runs">All runs of the journal, in any order.</param>
/// <param name="Watch">A run as it changes, the present first; ends when it is finished or stopped, or cannot go on.</param>
/// <param name="Stop">Asks a run to stop at the next step boundary.</param>
/// <param name="Start">
/// Builds the corpus, whose paths are this machine's, then starts the run or goes on with it. Reports lines for people on the way.
/// <c>model.vocabulary</c> may be 0, for the tokenizer's.
/// </param>
/// <param name="Nodes">All nodes that are enlisted, in any order.</param>
/// <param name="Cluster">The members, as this node sees them.</param>
public sealed record ClusterControl(
    Func<CancellationToken, Task<RunView[]>> Runs,
    Func<RunName, CancellationToken, IAsyncEnumerable<RunView>> Watch,
    Func<RunName, Origin, CancellationToken, Task<RunReply>> Stop,
    Func<TrainingSettings, Origin, IProgress<string>, CancellationToken, Task<RunReply>> Start,
    Func<CancellationToken, Task<NodeView[]>> Nodes,
    Func<CancellationToken, Task<ClusterMembers>> Cluster);
