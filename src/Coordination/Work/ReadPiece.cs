using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// Read pieces of sources through the stages of a manifest: work of a corpus build, which <see cref="BuildCoordinator"/> gives out.
/// </summary>
/// <param name="Pieces">What is to be read, as a blob: a piece of a file, or several small files.</param>
/// <param name="Number">The number of the order's pieces in the build.</param>
/// <param name="Taken">The asker has all pieces before this number: nodes need not keep them.</param>
public sealed record ReadPiece(Digest Pieces, int Number, int Taken) : WorkContent;

/// <param name="Pack">The documents' texts, facts and signals, as a blob.</param>
public sealed record PieceRead(Digest Pack) : WorkOutcome;

/// <inheritdoc cref="ReadPiece"/>
public sealed class ReadPieceWork : WorkKind
{
    public static readonly ReadPieceWork Kind = new();

    public override string Name => "read-piece";

    public override bool NeedsDevice => false;

    /// <param name="piece">Number of the piece.</param>
    public static WorkKey KeyOf(int piece) => new(Kind.Name, 0, piece);

    /// <summary>A run gives none out.</summary>
    public override void GiveOut(Scheduling scheduling)
    {
    }

    public override bool IsDone(RunState run, RunPlan plan, WorkKey key, NodeId node) => true;

    public override Decision Decide(RunState run, RunPlan plan, WorkResult result) =>
        Decision.Refuse($"the work \"{Name}\" belongs to the build of a corpus, and this is a run");

    public override IEnumerable<Digest> Needs(WorkContent content) => [];

    public override IEnumerable<Digest> Holds(WorkOutcome outcome) => [];

    public override int? StoresFor(WorkKey key) => null;
}
