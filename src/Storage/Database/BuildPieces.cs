using System.Data.Common;
using System.Text.Json;
using Elastic.Foundation;

namespace Elastic.Storage;

/// <summary>A piece of a source that was read for the build of a corpus.</summary>
/// <param name="Piece">Which one, by all that decides what comes of it.</param>
/// <param name="Texts">The file of its texts.</param>
/// <param name="Documents">The file of its documents' facts and signals.</param>
public sealed record StoredPiece(Digest Piece, Digest Texts, Digest Documents);

/// <summary>
/// What was read for the builds that go on: the building seed has the bytes, and other seeds fetch them, so that the one that takes over
/// need not have them read again.
/// </summary>
public sealed class BuildPieces(DatabaseAddress database)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StatementDeadline = TimeSpan.FromSeconds(10);

    // A row has up to 256 pieces.
    private const int RowsAtOnce = 100;

    /// <summary>Notes pieces that are durable at the building seed. Asking again is safe.</summary>
    /// <exception cref="DbException">The database is down; it was tried for half a minute.</exception>
    /// <exception cref="TimeoutException">Likewise.</exception>
    public Task AddAsync(string build, IReadOnlyList<StoredPiece> pieces, CancellationToken cancel) => database.RetryAsync(
        Patience, StatementDeadline, (connection, token) => connection.ExecuteAsync(
            """
            INSERT INTO elastic_build_pieces (build, number, pieces)
            SELECT @build, COALESCE(MAX(number), 0) + 1, @pieces FROM elastic_build_pieces WHERE build = @build
            """,
            token, ("build", build),
            ("pieces", JsonSerializer.Serialize(pieces.Select(p => new[] { p.Piece.Hex, p.Texts.Hex, p.Documents.Hex })))), cancel);

    /// <summary>The next pieces of a build in the order in which they were noted.</summary>
    /// <param name="after">The number of the last row that is known; 0 for none.</param>
    /// <returns>Empty where there is nothing new.</returns>
    /// <exception cref="DbException">The database is down.</exception>
    /// <exception cref="TimeoutException">Likewise.</exception>
    public Task<IReadOnlyList<(long Number, IReadOnlyList<StoredPiece> Pieces)>> ReadAsync(
        string build, long after, CancellationToken cancel) => database.CallAsync(StatementDeadline, (connection, token) =>
            connection.QueryAsync(
                "SELECT number, pieces FROM elastic_build_pieces WHERE build = @build AND number > @after ORDER BY number LIMIT @most",
                row => (row.GetInt64(0), Of(row.GetString(1))), token, ("build", build), ("after", after), ("most", RowsAtOnce)), cancel);

    private static IReadOnlyList<StoredPiece> Of(string text) => [.. JsonSerializer.Deserialize<string[][]>(text)!.Select(p =>
        p is [var piece, var texts, var documents] ? new StoredPiece(new Digest(piece), new Digest(texts), new Digest(documents))
            : throw new InvalidDataException("a row of elastic_build_pieces does not name pieces as this version does"))];
}
