using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Control;

/// <summary>
/// Lets other seeds have what was read for a build, and the tokens that were made, while this seed builds: the database names each piece
/// that is here, and the data plane gives its files. What was here before may be noted while pieces are read.
/// </summary>
/// <param name="say">Is told where the database is away, or another version has noted what cannot be read here: then a seed that takes over
/// has these pieces done again.</param>
internal sealed class AcknowledgedPieces(
    string build, DatabaseAddress database, PieceStore store, TokenStore tokens, BlobLocations blobs, Action<string> say) : IDisposable
{
    // Of a row.
    private const int MostPieces = 256;

    private readonly SemaphoreSlim _one = new(1, 1);                    // around what is below
    private readonly List<Digest> _served = [];
    private readonly HashSet<Digest> _known = [];
    private readonly List<StoredPiece> _due = [];                       // what the database was not there for

    /// <summary>Gives what an earlier process has noted, or another seed, as far as it is here.</summary>
    public async Task GoOnAsync(CancellationToken cancel)
    {
        try
        {
            var known = new BuildPieces(database);
            for (var rows = await known.ReadAsync(build, 0, cancel); rows.Count > 0;
                rows = await known.ReadAsync(build, rows[^1].Number, cancel))
                foreach (var piece in rows.SelectMany(r => r.Pieces).Where(
                    p => p.Documents is null ? tokens.Has(p.Piece) : store.Has(p.Piece)))
                {
                    Serve(piece);
                    _known.Add(piece.Piece);
                }
        }
        catch (DatabaseUnavailableException e)
        {
            Warn(e);
        }
        // Only a seed that takes over needs these rows.
        catch (InvalidDataException e)
        {
            say($"what was noted of this build cannot be read ({e.Message}): a seed that took over would have it done again");
        }
    }

    /// <summary>
    /// Notes pieces that were here before the build began, as far as nobody has: an earlier build, or this one on an earlier day, has read
    /// them.
    /// </summary>
    public async Task AddFoundAsync(IReadOnlyList<SourcePiece> pieces, CancellationToken cancel)
    {
        var isAway = false;
        var unknown = await AloneAsync(() => Task.FromResult(pieces.Where(p => !_known.Contains(p.Identity)).ToList()), cancel);
        foreach (var some in unknown.Chunk(MostPieces))
        {
            var stored = new StoredPiece[some.Length];
            await Task.Run(
                () => Parallels.For(some.Length, Environment.ProcessorCount, i => stored[i] = Stored(some[i]), cancel), cancel);
            // Where the database is away, each attempt would wait for it: the next piece that is read tries again for all.
            isAway = !await AddAsync([.. stored], isAway, cancel);
        }
    }

    /// <summary>Notes pieces that were read.</summary>
    public async Task AddAsync(IReadOnlyList<SourcePiece> pieces, CancellationToken cancel) =>
        await AddAsync(await Task.Run(() => pieces.Select(Stored).ToList(), cancel), isAway: false, cancel);

    /// <summary>Notes a piece of the text whose tokens are here.</summary>
    public async Task AddTokensAsync(Digest piece, CancellationToken cancel) =>
        await AddAsync(
            [new StoredPiece(piece, await Task.Run(() => DigestOf(tokens.PathOf(piece)), cancel), null)], isAway: false, cancel);

    public void Dispose()
    {
        _served.ForEach(digest => blobs.Remove(digest));
        _one.Dispose();
    }

    private async Task<T> AloneAsync<T>(Func<Task<T>> work, CancellationToken cancel)
    {
        await _one.WaitAsync(cancel);
        try
        {
            return await work();
        }
        finally
        {
            _one.Release();
        }
    }

    // False where the database is away; where it is known to be, nobody tries.
    private Task<bool> AddAsync(List<StoredPiece> stored, bool isAway, CancellationToken cancel) => AloneAsync(
        async () =>
        {
            stored.ForEach(Serve);
            _due.AddRange(stored);
            return !isAway && await NoteAsync(cancel);
        }, cancel);

    private async Task<bool> NoteAsync(CancellationToken cancel)
    {
        try
        {
            while (_due.Count > 0)
            {
                List<StoredPiece> row = [.. _due.Take(MostPieces)];
                await new BuildPieces(database).AddAsync(build, row, cancel);
                _known.UnionWith(row.Select(p => p.Piece));
                _due.RemoveRange(0, row.Count);
            }

            return true;
        }
        catch (DatabaseUnavailableException e)
        {
            Warn(e);
            return false;
        }
    }

    private void Warn(Exception e) =>
        say($"the database cannot be reached ({e.Message}): a seed that took over would have what came last done again");

    private void Serve(StoredPiece piece)
    {
        if (piece.Documents is not { } named)
        {
            Serve(piece.File, tokens.PathOf(piece.Piece));
            return;
        }
        var (texts, documents) = store.PathsOf(piece.Piece);
        Serve(piece.File, texts);
        Serve(named, documents);
    }

    private void Serve(Digest file, string path)
    {
        blobs.Add(file, path);
        _served.Add(file);
    }

    private StoredPiece Stored(SourcePiece piece)
    {
        var (texts, documents) = store.PathsOf(piece.Identity);
        return new StoredPiece(piece.Identity, DigestOf(texts), DigestOf(documents));
    }

    private static Digest DigestOf(string path)
    {
        using var file = File.OpenRead(path);
        return Digest.Of(file);
    }
}
