using Elastic.Coordination;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Control;

/// <summary>
/// Has the pieces of a corpus build read by the nodes of the cluster. This process serves the files of the sources, and takes what was read
/// into its store.
/// </summary>
/// <param name="acknowledged">Notes what is in the store.</param>
/// <param name="say">Is told what it waits for, and what it does instead.</param>
internal sealed class PieceReading(
    ElasticNode node, Origin origin, AcknowledgedPieces acknowledged, PieceStore store, Action<SourcePiece> came, Action<string> say)
    : IPiecesTaker
{
    private readonly Dictionary<int, IReadOnlyList<SourcePiece>> _wanted = [];
    private readonly Lock _gate = new();
    private BuildManifest? _manifest;
    private PiecesAsker? _asker;

    /// <summary>Nodes that read pieces now.</summary>
    public int Nodes => _asker?.Nodes ?? 0;

    /// <summary>Reads the pieces, and says of each that it is in the store. Those that no node can read are left out.</summary>
    /// <exception cref="ElasticException">The supervisors take no more such jobs.</exception>
    public async Task RunAsync(BuildManifest manifest, IReadOnlyList<SourcePiece> pieces, CancellationToken cancel)
    {
        var asker = _asker = new PiecesAsker(node, origin, ReadPieceWork.Kind, this, say);
        _manifest = manifest;
        var (blobs, served) = (node.Context.Blobs, new HashSet<Digest>());
        node.Context.OwnBuilds[asker.Job] = SharedManifest.Of(manifest);
        try
        {
            await using var ending = asker;
            asker.Begin(SharedManifest.Write(manifest));
            var (batches, next) = (PieceBatch.Cut(pieces).ToList(), 0);
            while (true)
            {
                for (; next < batches.Count && asker.Wanted < BuildRequest.MostPieces; next++)
                {
                    foreach (var file in batches[next].Select(p => p.File).Where(f => served.Add(f.Content!.Value)))
                        blobs.Add(file.Content!.Value, file.Path, file.State);
                    lock (_gate)
                        _wanted[next] = batches[next];
                    asker.Want(next, PieceBatch.Write(batches[next]));
                }
                if (asker.Wanted == 0)
                    return;
                await asker.TurnAsync(hurries: false, cancel);
            }
        }
        finally
        {
            node.Context.OwnBuilds.TryRemove(asker.Job, out _);
            foreach (var digest in served)
                blobs.Remove(digest);
        }
    }

    long IPiecesTaker.MostBytesOf(int piece) => PieceStore.MostBytesOf(Of(piece));

    void IPiecesTaker.TakeIn(int piece, string file)
    {
        using var pack = File.OpenRead(file);
        foreach (var part in Of(piece))
            store.TakeIn(part, _manifest!, pack);
    }

    async Task IPiecesTaker.TakenAsync(int piece, CancellationToken cancel)
    {
        var taken = Of(piece);
        await acknowledged.AddAsync(taken, cancel);
        Forget(piece);
        // It may read what has come, which takes a while.
        await Task.Run(() => taken.ToList().ForEach(came), CancellationToken.None);
    }

    Task IPiecesTaker.GiveUpAsync(int piece, byte[] description, string why, CancellationToken cancel)
    {
        var wanted = Of(piece);
        say($"no node reads {wanted[0].File.Name}" + (wanted.Count > 1 ? $" and {wanted.Count - 1} files behind it" : "")
            + $", and this one reads it itself: {why}");
        Forget(piece);
        return Task.CompletedTask;
    }

    private IReadOnlyList<SourcePiece> Of(int piece)
    {
        lock (_gate)
            return _wanted[piece];
    }

    private void Forget(int piece)
    {
        lock (_gate)
            _wanted.Remove(piece);
    }
}
