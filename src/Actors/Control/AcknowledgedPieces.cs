using System.Data.Common;
using System.Security.Cryptography;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Control;

/// <summary>
/// Lets other seeds have what was read for a build while this seed builds: the database names each piece that is in the store here, and the
/// data plane gives its files. Not thread-safe.
/// </summary>
/// <param name="say">Is told where the database is away: then a seed that takes over has these pieces read again.</param>
internal sealed class AcknowledgedPieces(
    string build, DatabaseAddress database, PieceStore store, BlobLocations blobs, Action<string> say) : IDisposable
{
    private readonly List<Digest> _served = [];

    /// <summary>Gives what an earlier process has noted, or another seed, as far as it is here.</summary>
    public async Task GoOnAsync(CancellationToken cancel)
    {
        try
        {
            var known = new BuildPieces(database);
            for (var rows = await known.ReadAsync(build, 0, cancel); rows.Count > 0;
                rows = await known.ReadAsync(build, rows[^1].Number, cancel))
                foreach (var piece in rows.SelectMany(r => r.Pieces).Where(p => store.Has(p.Piece)))
                    Serve(piece);
        }
        catch (Exception e) when (e is DbException or TimeoutException)
        {
            Warn(e);
        }
    }

    /// <summary>Notes pieces that have come.</summary>
    public async Task AddAsync(IReadOnlyList<SourcePiece> pieces, CancellationToken cancel)
    {
        var stored = await Task.Run(() => pieces.Select(Stored).ToList(), cancel);
        stored.ForEach(Serve);
        try
        {
            await new BuildPieces(database).AddAsync(build, stored, cancel);
        }
        catch (Exception e) when (e is DbException or TimeoutException)
        {
            Warn(e);
        }
    }

    public void Dispose() => _served.ForEach(digest => blobs.Remove(digest));

    private void Warn(Exception e) =>
        say($"the database cannot be reached ({e.Message}): a seed that took over would have what was read last read again");

    private void Serve(StoredPiece piece)
    {
        var (texts, documents) = store.PathsOf(piece.Piece);
        blobs.Add(piece.Texts, texts);
        blobs.Add(piece.Documents, documents);
        _served.AddRange([piece.Texts, piece.Documents]);
    }

    private StoredPiece Stored(SourcePiece piece)
    {
        var (texts, documents) = store.PathsOf(piece.Identity);
        return new StoredPiece(piece.Identity, DigestOf(texts), DigestOf(documents));
    }

    private static Digest DigestOf(string path)
    {
        using var file = File.OpenRead(path);
        return new Digest(Convert.ToHexStringLower(SHA256.HashData(file)));
    }
}
