using System.Runtime.CompilerServices;
using Elastic.Actors.Corpora;
using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Control;

/// <summary>
/// Has the tokens of a corpus made by the nodes of the cluster, in pieces of the text that follow each other. What was made is in the store
/// before it is written into a shard, so that a seed that takes the build over, or starts again, has only the rest made.
/// </summary>
/// <param name="acknowledged">Notes what is in the store.</param>
/// <param name="say">Is told what it waits for, and what it does instead.</param>
internal sealed class PieceTokens(
    ElasticNode node, Origin origin, AcknowledgedPieces acknowledged, TokenStore store, Action<string> say) : ITokenPass, IPiecesTaker
{
    // The text is read between two questions: some tenths of a second.
    private const int ReadAtOnce = 4;

    private readonly Dictionary<int, (Digest Identity, int Documents, long MostBytes, bool IsHere)> _pieces = [];
    private readonly Lock _gate = new();
    private PiecesAsker? _asker;
    private TokenPlan? _plan;

    /// <summary>Nodes that make tokens now.</summary>
    public int Nodes => _asker?.Nodes ?? 0;

    public int CharactersOf(long bytes) => DocumentPiece.CharactersOf(bytes);

    /// <exception cref="ElasticException">The supervisors take no more such jobs.</exception>
    /// <inheritdoc/>
    public async IAsyncEnumerable<TokenizedBatch> RunAsync(
        TokenPlan plan, IEnumerable<DocumentBatch> batches, [EnumeratorCancellation] CancellationToken cancel)
    {
        _plan = plan;
        await using var asker = _asker = new PiecesAsker(node, origin, TokenizePieceWork.Kind, this, say);
        var manifest = plan.Write();
        asker.Begin(manifest);
        using var text = batches.GetEnumerator();
        for (var (isMore, next, by) = (true, 0, Digest.Of(manifest)); isMore || asker.Wanted > 0;)
        {
            for (var read = 0; isMore && read < ReadAtOnce && _pieces.Count < BuildRequest.MostPieces; read++)
            {
                isMore = text.MoveNext();
                if (isMore)
                    Want(asker, text.Current, by);
            }
            if (asker.Wanted > 0)
                await asker.TurnAsync(hurries: isMore && _pieces.Count < BuildRequest.MostPieces, cancel);
            for (; Take(next) is { } tokens; next++)
                yield return tokens;
        }
    }

    long IPiecesTaker.MostBytesOf(int piece) => Known(piece).MostBytes;

    // Read before it is noted, after which the node that made it forgets it.
    void IPiecesTaker.TakeIn(int piece, string file)
    {
        Read(piece, file);
        store.Copy(Known(piece).Identity, file);
    }

    async Task IPiecesTaker.TakenAsync(int piece, CancellationToken cancel)
    {
        await acknowledged.AddTokensAsync(Known(piece).Identity, cancel);
        IsHere(piece);
    }

    async Task IPiecesTaker.GiveUpAsync(int piece, byte[] description, string why, CancellationToken cancel)
    {
        say($"no node makes the tokens of piece {piece} of the text, and this one makes them itself: {why}");
        await Task.Run(
            () => store.Put(
                Known(piece).Identity, _plan!.Tokenize(new DocumentBatch(piece, DocumentPiece.Read(description)), cancel)), cancel);
        IsHere(piece);
    }

    private void Want(PiecesAsker asker, DocumentBatch batch, Digest by)
    {
        var (piece, description) = ((int)batch.Sequence, DocumentPiece.Write(batch.Documents));
        var identity = TokenStore.IdentityOf(by, Digest.Of(description));
        var isHere = store.Has(identity);
        lock (_gate)
            _pieces[piece] = (identity, batch.Documents.Count, TokenPiece.MostBytesOf(description.Length), isHere);
        if (!isHere)
            asker.Want(piece, description);
    }

    // Null where it is not here.
    private TokenizedBatch? Take(int piece)
    {
        if (!_pieces.TryGetValue(piece, out var known) || !known.IsHere)
            return null;
        var tokens = Read(piece, store.PathOf(known.Identity));
        lock (_gate)
            _pieces.Remove(piece);
        return tokens;
    }

    // From a node, or from before.
    private TokenizedBatch Read(int piece, string file)
    {
        var tokens = TokenPiece.Read(file, piece, _plan!.Tokenizer.VocabularySize);
        return tokens.Documents.Count == Known(piece).Documents ? tokens : throw new ElasticException(
            $"{file} has the tokens of {Plural.Of(tokens.Documents.Count, "document")}, and piece {piece} of the text has "
            + $"{Known(piece).Documents}: give the same command again");
    }

    private (Digest Identity, int Documents, long MostBytes, bool IsHere) Known(int piece)
    {
        lock (_gate)
            return _pieces[piece];
    }

    private void IsHere(int piece)
    {
        lock (_gate)
            _pieces[piece] = _pieces[piece] with { IsHere = true };
    }
}
