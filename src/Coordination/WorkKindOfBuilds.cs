using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// A kind of work on numbered pieces of the build of a corpus, which <see cref="BuildCoordinator"/> gives out: it takes a core, and no run
/// has such work.
/// </summary>
public abstract class WorkKindOfBuilds : WorkKind
{
    /// <summary>What nodes open for it.</summary>
    public abstract JobKind Job { get; }

    public sealed override bool NeedsDevice => false;

    /// <param name="piece">Number of the piece.</param>
    public WorkKey KeyOf(int piece) => new(Name, 0, piece);

    /// <summary>The order for a piece.</summary>
    /// <param name="piece">What it is, as a blob.</param>
    /// <param name="taken">The asker has all pieces before this number: nodes need not keep them.</param>
    public abstract WorkContent OrderOf(Digest piece, int number, int taken);

    /// <summary>What came of a piece, as a blob; null for an outcome of another kind.</summary>
    public abstract Digest? PackOf(WorkOutcome outcome);

    /// <summary>A run gives none out.</summary>
    public sealed override void GiveOut(Scheduling scheduling)
    {
    }

    public sealed override bool IsDone(RunState run, RunPlan plan, WorkKey key, NodeId node) => true;

    public sealed override Decision Decide(RunState run, RunPlan plan, WorkResult result) =>
        Decision.Refuse($"the work \"{Name}\" belongs to the build of a corpus, and this is a run");

    public sealed override IEnumerable<Digest> Needs(WorkContent content) => [];

    public sealed override IEnumerable<Digest> Holds(WorkOutcome outcome) => [];

    public sealed override int? StoresFor(WorkKey key) => null;
}
