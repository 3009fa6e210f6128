using System.Text.Json;
using Elastic.Foundation;

namespace Elastic.Storage;

/// <summary>A piece of a source that was read for the build of a corpus, or a piece of its text of which tokens were made.</summary>
/// <param name="Piece">Which one, by all that decides what comes of it.</param>
/// <param name="File">The file of its texts, or of its tokens.</param>
/// <param name="Documents">The file of its documents' facts and signals; null for tokens.</param>
public sealed record StoredPiece(Digest Piece, Digest File, Digest? Documents);

/// <summary>
/// What was read for the builds that go on, and made of it: the building seed has the bytes, and other seeds fetch them, so that the one
/// that takes over need not have it done again.
/// </summary>
public sealed class BuildPieces(DatabaseAddress database)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StatementDeadline = TimeSpan.FromSeconds(10);

    // A row has up to 256 pieces.
    private const int RowsAtOnce = 100;

    /// <summary>Notes pieces that are durable at the building seed. Asking again is safe.</summary>
    /// <exception cref="DatabaseUnavailableException">The database is down; it was tried for half a minute.</exception>
    public Task AddAsync(string build, IReadOnlyList<StoredPiece> pieces, CancellationToken cancel) => database.RetryAsync(
        Patience, StatementDeadline, (connection, token) => connection.ExecuteAsync(
            """
            INSERT INTO elastic_build_pieces (build, number, pieces)
            SELECT @build, COALESCE(MAX(number), 0) + 1, @pieces FROM elastic_build_pieces WHERE build = @build
            """,
            token, ("build", build),
            ("pieces", JsonSerializer.Serialize(pieces.Select(TextsOf)))), cancel);

    /// <summary>The next pieces of a build in the order in which they were noted.</summary>
    /// <param name="after">The number of the last row that is known; 0 for none.</param>
    /// <returns>Empty where there is nothing new.</returns>
    /// <exception cref="DatabaseUnavailableException">The database is down.</exception>
    /// <exception cref="InvalidDataException">Another version has noted pieces in another way.</exception>
    public Task<IReadOnlyList<(long Number, IReadOnlyList<StoredPiece> Pieces)>> ReadAsync(
        string build, long after, CancellationToken cancel) => database.CallAsync(StatementDeadline, (connection, token) =>
            connection.QueryAsync(
                "SELECT number, pieces FROM elastic_build_pieces WHERE build = @build AND number > @after ORDER BY number LIMIT @most",
                row => (row.GetInt64(0), Of(row.GetString(1))), token, ("build", build), ("after", after), ("most", RowsAtOnce)), cancel);

    private static IEnumerable<string> TextsOf(StoredPiece piece) =>
        new Digest?[] { piece.Piece, piece.File, piece.Documents }.OfType<Digest>().Select(d => d.Hex);

    private static IReadOnlyList<StoredPiece> Of(string text)
    {
        const string Other = "a row of elastic_build_pieces does not name pieces as this version does";
        try
        {
            return [.. JsonSerializer.Deserialize<string[][]>(text)!.Select(p =>
                p is [var piece, var file, .. var rest] && rest is [] or [_]
                    ? new StoredPiece(new Digest(piece), new Digest(file), rest is [var documents] ? new Digest(documents) : null)
                    : throw new InvalidDataException(Other))];
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new InvalidDataException(Other, e);
        }
    }
}
