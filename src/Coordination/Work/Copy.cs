using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>Hold this vector set too, so that the loss of another node loses nothing.</summary>
public sealed record Copy(Digest Set) : WorkContent;

/// <summary>The node has the vector set and every chunk of it.</summary>
public sealed record Copied(Digest Set) : WorkOutcome;

/// <inheritdoc cref="Copy"/>
public sealed class CopyWork : WorkKind
{
    public static readonly CopyWork Kind = new();

    public override string Name => "copy";

    public override bool NeedsDevice => false;

    public override bool IsUpkeep => true;

    /// <param name="number">Names the set within the round.</param>
    public static WorkKey KeyOf(int round, int number) => new(Kind.Name, round, number);

    public override void GiveOut(Scheduling scheduling)
    {
        foreach (var (key, node, set) in Replication.Due(scheduling.Run, scheduling.View, scheduling.FailuresAt))
            scheduling.Give(key, node, new Copy(set));
    }

    public override bool IsDone(RunState run, RunPlan plan, WorkKey key, NodeId node) => key.Number != run.Round;

    // Stores nothing: which nodes hold what is kept in the view only.
    public override Decision Decide(RunState run, RunPlan plan, WorkResult result) =>
        result.Outcome is Copied ? Decision.AlreadyDone : Foreign(result.Outcome);

    public override IEnumerable<Digest> Needs(WorkContent content) => content is Copy c ? [c.Set] : [];

    public override IEnumerable<Digest> Holds(WorkOutcome outcome) => outcome is Copied c ? [c.Set] : [];
}
