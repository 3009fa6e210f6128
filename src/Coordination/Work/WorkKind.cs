using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// A kind of work: what is ordered and answered, what it needs, when it is due, when it is done, and what its result means. One file each;
/// the executor of the same name (Actors/Work) does it.
/// </summary>
public abstract class WorkKind
{
    /// <summary>Its name on the wire and for people, e.g. "compute".</summary>
    public abstract string Name { get; }

    /// <summary>True for work that occupies a node's devices; such work is stopped when the run stops or the node leaves.</summary>
    public virtual bool OccupiesDevices => false;

    /// <summary>True for work that only a node with a device can do.</summary>
    public virtual bool NeedsDevice => true;

    /// <summary>True for work that is given out while a run stops or rests, too.</summary>
    public virtual bool IsUpkeep => false;

    /// <summary>True while somebody has asked for it: it is given out while the run stops or is paused, too.</summary>
    public virtual bool IsAskedFor(RunState run) => false;

    /// <summary>True for sums, which are worth nothing when one of the results that they are made of is replaced.</summary>
    public virtual bool IsOfResults => false;

    /// <summary>True for a piece of work whose outcome counts only once two nodes have come to the same one.</summary>
    public virtual bool IsAudited(RunState run, RunPlan plan, WorkKey key) => false;

    /// <summary>Two outcomes of audited work are the same where these texts are.</summary>
    public virtual string BytesOf(WorkOutcome outcome) => throw new InvalidOperationException($"the work \"{Name}\" is not audited");

    /// <summary>Gives out what is due and not in flight.</summary>
    public abstract void GiveOut(Scheduling scheduling);

    /// <summary>True when this work by this node is no longer needed.</summary>
    public abstract bool IsDone(RunState run, RunPlan plan, WorkKey key, NodeId node);

    /// <summary>What a result means for a run that starts from the same version.</summary>
    public abstract Decision Decide(RunState run, RunPlan plan, WorkResult result);

    /// <summary>Vector sets and chunks that the work reads.</summary>
    public abstract IEnumerable<Digest> Needs(WorkContent content);

    /// <summary>Vector sets and chunks that the node holds intact after this outcome.</summary>
    public abstract IEnumerable<Digest> Holds(WorkOutcome outcome);

    /// <summary>The round that the node's store enters with this work; null where it enters none.</summary>
    public virtual int? StoresFor(WorkKey key) => key.Number;

    /// <summary>Cuts a large content into parts; most are one.</summary>
    /// <param name="mostDigests">In one part.</param>
    public virtual IEnumerable<(WorkContent Content, Part Part)> Cut(WorkContent content, int mostDigests) => [(content, Part.Whole)];

    /// <summary>Puts parts together again, in order.</summary>
    public virtual WorkContent Join(IReadOnlyList<WorkContent> parts) => parts[0];

    /// <summary>Refuses what is no outcome of this kind.</summary>
    protected Decision Foreign(WorkOutcome outcome) => Decision.Refuse($"{outcome.GetType().Name} is no outcome of the work \"{Name}\"");
}
