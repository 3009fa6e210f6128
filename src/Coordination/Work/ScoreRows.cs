using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>Score a piece of a text with a version: work of an evaluation, which <see cref="EvaluationCoordinator"/> gives out.</summary>
/// <param name="Parameters">The version's vector set.</param>
/// <param name="Rows">The rows, as a blob.</param>
public sealed record ScoreRows(Digest Parameters, Digest Rows) : WorkContent;

/// <param name="Nats">The sum of the cross-entropies of each row.</param>
public sealed record RowsScored(double[] Nats) : WorkOutcome;

/// <inheritdoc cref="ScoreRows"/>
public sealed class ScoreRowsWork : WorkKind
{
    public static readonly ScoreRowsWork Kind = new();

    public override string Name => "score";

    public override bool OccupiesDevices => true;

    /// <param name="piece">Number of the piece.</param>
    public static WorkKey KeyOf(int piece) => new(Kind.Name, 0, piece);

    /// <summary>A run gives none out.</summary>
    public override void GiveOut(Scheduling scheduling)
    {
    }

    public override bool IsDone(RunState run, RunPlan plan, WorkKey key, NodeId node) => true;

    public override Decision Decide(RunState run, RunPlan plan, WorkResult result) =>
        Decision.Refuse($"the work \"{Name}\" belongs to an evaluation, and this is a run");

    public override IEnumerable<Digest> Needs(WorkContent content) => content is ScoreRows c ? [c.Parameters] : [];

    public override IEnumerable<Digest> Holds(WorkOutcome outcome) => [];

    public override int? StoresFor(WorkKey key) => null;
}
