// What the supervisors of runs and the actor above them tell each other, in one process.
using Akka.Actor;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Actors.Runs;

/// <summary>The database lacks events of the run that it had.</summary>
internal sealed record JournalIsOlder : INoSerializationVerificationNeeded
{
    public static readonly JournalIsOlder Instance = new();
}

/// <summary>
/// A supervisor that ends could not read or write its journal, has lost the journal to another supervisor, or has failed.
/// </summary>
/// <param name="View">What a person is shown of the run until another supervisor shows it; null where this one knew nothing.</param>
/// <param name="IsBug">It has failed, and the next one may fail at the same.</param>
internal sealed record RunUnreadable(RunId RunId, string Why, RunView? View, bool IsBug = false);

/// <summary>The run's supervisor has read its journal.</summary>
internal sealed record RunRead(RunId RunId);

/// <summary>The supervisor of a job in pieces has failed, and ends.</summary>
internal sealed record JobFailed(RunId Job, string Why);

/// <summary>
/// What a node tells the supervisors, from the link with which it enlisted. It has no serializer: only the actor that has looked at the
/// link says it to a run's supervisor, whom other processes reach, too.
/// </summary>
internal sealed record FromNode(IWireMessage Message) : INoSerializationVerificationNeeded;

/// <summary>A request of the run was answered.</summary>
/// <param name="Asker">Who has the answer.</param>
/// <param name="Exists">The run's start is in the journal.</param>
internal sealed record RunAnswered(RunId RunId, IActorRef Asker, bool Exists);

/// <summary>The run is not wanted any more: somebody deletes it, or starts another one of its name.</summary>
/// <param name="Asker">Whom to answer.</param>
internal sealed record RunDiscarded(RunId RunId, RunRequest Request, IActorRef Asker);

/// <summary>Tells a run's supervisor that the run is not in the list any more.</summary>
internal sealed record RunDeleted
{
    public static readonly RunDeleted Instance = new();
}

/// <summary>A node is dead, or is suspected to be.</summary>
internal sealed record NodeLost(NodeId Node);

/// <summary>A node's results were wrong.</summary>
internal sealed record NodeDistrusted(NodeId Node);

/// <summary>A node's liveness connection is there.</summary>
internal sealed record LivenessBegan(NodeId Node, string Incarnation);

/// <summary>A node's liveness connection is gone.</summary>
internal sealed record LivenessEnded(NodeId Node, string Incarnation, string Why);

/// <summary>The list of runs is read.</summary>
internal sealed record RunsListed(IReadOnlyList<ListedRun> Runs);

/// <summary>The database has entered a run in the list, or has failed to.</summary>
/// <param name="Run">The run that has the name from now on; null where it failed.</param>
internal sealed record RunEntered(RunName Name, RunId? Run, Exception? Failure);

/// <summary>The database has removed a run from the list, or has failed to.</summary>
internal sealed record RunRemoved(RunDiscarded Run, Exception? Failure);

/// <summary>The pause after which the run's supervisor is made anew is over.</summary>
internal sealed record SuperviseAgain(RunId RunId);
