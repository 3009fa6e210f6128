using Elastic.Foundation;
using Elastic.Messages.Nodes;
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
public sealed class ReadPieceWork : WorkKindOfBuilds
{
    public static readonly ReadPieceWork Kind = new();

    public override string Name => "read-piece";

    public override JobKind Job => JobKind.Build;

    public override WorkContent OrderOf(Digest piece, int number, int taken) => new ReadPiece(piece, number, taken);

    public override Digest? PackOf(WorkOutcome outcome) => (outcome as PieceRead)?.Pack;
}
