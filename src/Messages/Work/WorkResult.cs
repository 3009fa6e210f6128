using Elastic.Foundation;

namespace Elastic.Messages.Work;

/// <summary>What came of a piece of work; each kind of work has a type of its own (Coordination/Work).</summary>
public abstract record WorkOutcome : IWireMessage;

/// <summary>What can be done about work that failed.</summary>
public enum WorkFailure
{
    /// <summary>Try again.</summary>
    Transient,

    /// <summary>A stored blob is missing or damaged: see what is still whole, and go on from there.</summary>
    Lost,

    /// <summary>Trying again cannot help: a full disk, another model's checkpoint.</summary>
    Permanent,
}

/// <summary>The work could not be done; the supervisor gives it out again.</summary>
public sealed record WorkFailed(string Why, WorkFailure Kind) : WorkOutcome;

/// <summary>
/// A node's answer to an order. It counts because of what it is, not when it came: from an enlisted node, of the job's present version, and
/// still wanted, whoever ordered it in whichever term.
/// </summary>
/// <param name="Order">The order that it answers.</param>
/// <param name="From">The version that the work started from, as the order had it.</param>
public sealed record WorkResult(JobId Job, NodeId Node, OrderId Order, WorkKey Key, Digest? From, WorkOutcome Outcome) : IWireMessage;
