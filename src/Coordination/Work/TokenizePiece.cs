using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// Make the tokens of some documents that a build has kept: work of a corpus build, which <see cref="BuildCoordinator"/> gives out.
/// </summary>
/// <param name="Documents">The documents that follow each other, as a blob.</param>
/// <param name="Number">The number of the piece in the text.</param>
/// <param name="Taken">The asker has all pieces before this number: nodes need not keep them.</param>
public sealed record TokenizePiece(Digest Documents, int Number, int Taken) : WorkContent;

/// <param name="Tokens">The tokens of each document, as a blob.</param>
public sealed record PieceTokenized(Digest Tokens) : WorkOutcome;

/// <inheritdoc cref="TokenizePiece"/>
public sealed class TokenizePieceWork : WorkKindOfBuilds
{
    public static readonly TokenizePieceWork Kind = new();

    public override string Name => "tokenize-piece";

    public override JobKind Job => JobKind.Tokens;

    public override WorkContent OrderOf(Digest piece, int number, int taken) => new TokenizePiece(piece, number, taken);

    public override Digest? PackOf(WorkOutcome outcome) => (outcome as PieceTokenized)?.Tokens;
}
