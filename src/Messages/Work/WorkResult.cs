using Elastic.Foundation;

namespace Elastic.Messages.Work;

/// <summary>The outcome of a piece of work; each kind of work has a type of its own (Coordination/Work).</summary>
public abstract record WorkOutcome : IWireMessage;

/// <summary>What can be done about work that failed.</summary>
public enum WorkFailure
{
    /// <summary>Try again.</summary>
    Transient,

    /// <summary>
    /// A blob is missing or damaged, or those who have it cannot be reached: survey what is still intact, and go on from there.
    /// </summary>
    Lost,

    /// <summary>The node lacks room, on its disk for example: others may have it, and it may have it later.</summary>
    Exhausted,

    /// <summary>Trying again cannot help: a loss that is no number, another model's checkpoint.</summary>
    Permanent,
}

/// <summary>The work could not be done; the supervisor gives it out again.</summary>
public sealed record WorkFailed(string Why, WorkFailure Kind) : WorkOutcome;

/// <summary>
/// A node's answer to an order. It counts if it comes from an enlisted node, starts from the job's present version and is still wanted,
/// whenever it comes and whichever supervisor, in whichever term, ordered it.
/// </summary>
/// <param name="Order">The order that it answers.</param>
/// <param name="From">The version that the work started from, as the order had it.</param>
public sealed record WorkResult(JobId Job, NodeId Node, OrderId Order, WorkKey Key, Digest? From, WorkOutcome Outcome) : ISaidByNode;
