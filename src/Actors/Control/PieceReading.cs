using System.Security.Cryptography;
using Akka.Actor;
using Elastic.Actors.Nodes;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Control;

/// <summary>
/// Has the pieces of a corpus build read by the nodes of the cluster: a job of its own. This process keeps what the job needs and serves
/// it, the files of the sources, too; the supervisors give the pieces to nodes; what these have read is fetched into this process's store,
/// piece by piece, and is durable there before a node forgets it. Whichever nodes and supervisors are lost, it goes on while this process
/// lives.
/// </summary>
/// <param name="acknowledged">Notes what is in the store.</param>
/// <param name="say">Is told what it waits for, and what it does instead.</param>
internal sealed class PieceReading(ElasticNode node, Origin origin, AcknowledgedPieces acknowledged, Action<string> say)
{
    // Longer than a supervisor takes to move to another seed.
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan EndDeadline = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan BetweenQuestions = TimeSpan.FromMilliseconds(200);

    // A disk writes no faster from more.
    private const int FetchedAtOnce = 4;

    // Texts are packed; a file of that many is no piece of a corpus.
    private const long MostBytes = 1L << 42;

    private readonly BlobLocations _blobs = node.Context.Blobs;
    private readonly SortedDictionary<int, (IReadOnlyList<SourcePiece> Pieces, Digest Description)> _wanted = [];
    private readonly Dictionary<int, Task> _fetches = [];
    private readonly HashSet<int> _lost = [];
    private string? _waits;
    private int _nodes;

    /// <summary>Nodes that read pieces now.</summary>
    public int Nodes => Volatile.Read(ref _nodes);

    /// <summary>Reads the pieces. Those that no node can read are left out.</summary>
    /// <param name="came">Called with each piece that is in the store, one after the other.</param>
    /// <exception cref="ElasticException">The supervisors take no more such jobs.</exception>
    public async Task RunAsync(
        BuildManifest manifest, PieceStore store, IReadOnlyList<SourcePiece> pieces, Action<SourcePiece> came, CancellationToken cancel)
    {
        var job = RunId.Draw(new RunName("build"), RandomNumberGenerator.GetBytes(Identifier.DrawnBytes));
        var folder = node.Paths.Build(job, isAsker: true);
        var blobs = new BlobStore(folder);
        var served = new HashSet<Digest>();
        node.Context.OwnBuilds[job] = SharedManifest.Of(manifest);
        _blobs.Add(blobs);
        try
        {
            var sent = blobs.Put(SharedManifest.Write(manifest));
            var (batches, next, number) = (PieceBatch.Cut(pieces).ToList(), 0, 0L);
            while (true)
            {
                for (; next < batches.Count && _wanted.Count < BuildRequest.MostPieces; next++)
                {
                    foreach (var file in batches[next].Select(p => p.File).Where(f => served.Add(f.Content!.Value)))
                        _blobs.Add(file.Content!.Value, file.Path);
                    _wanted[next] = (batches[next], blobs.Put(PieceBatch.Write(batches[next])));
                }
                if (_wanted.Count == 0)
                    return;
                if (await AskAsync(Request(job, ++number, sent), cancel) is { } view)
                    Take(view, store, folder, cancel);
                if (!await CollectAsync(came, cancel))
                    await Task.Delay(BetweenQuestions, cancel);
            }
        }
        finally
        {
            await EndAsync(job);
            await Task.WhenAll(_fetches.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            node.Context.OwnBuilds.TryRemove(job, out _);
            _blobs.Remove(blobs);
            foreach (var digest in served)
                _blobs.Remove(digest);
            Directory.Delete(folder, recursive: true);
        }
    }

    private BuildRequest.Read Request(RunId job, long number, Digest manifest)
    {
        var request = new BuildRequest.Read(job)
        {
            Origin = origin,
            Number = number,
            Manifest = manifest,
            Source = node.HttpEndpoint.ToString(),
            Wanted = [.. _wanted.Keys],
            Pieces = [.. _wanted.Values.Select(w => w.Description)],
            Lost = [.. _lost],
        };
        _lost.Clear();
        return request;
    }

    // Null where nobody answers: what the nodes have read, they keep.
    private async Task<BuildView?> AskAsync(BuildRequest.Read request, CancellationToken cancel)
    {
        try
        {
            var view = await node.AskAsync<BuildView>(request, Deadline, cancel);
            if (view.Refusal is { } refusal)
                throw new ElasticException(refusal);
            Volatile.Write(ref _nodes, view.Nodes);
            Tell(view.WaitsFor);
            return view;
        }
        catch (UnavailableException e)
        {
            _lost.UnionWith(request.Lost);
            Tell($"the supervisors: {e.Message}");
            return null;
        }
    }

    private void Tell(string? waits)
    {
        if (waits is not null && waits != _waits)
            say($"waits for {waits}");
        _waits = waits;
    }

    // What a view names stays wanted until it is in the store: the node that has read it keeps it until then.
    private void Take(BuildView view, PieceStore store, string folder, CancellationToken cancel)
    {
        foreach (var seen in view.Pieces.Where(p => !_fetches.ContainsKey(p.Number)))
        {
            // An answer to an earlier request may name what has come since.
            if (!_wanted.TryGetValue(seen.Number, out var wanted))
                continue;
            if (seen.Failure is { } why)
            {
                say($"no node reads {wanted.Pieces[0].File.Name}"
                    + (wanted.Pieces.Count > 1 ? $" and {wanted.Pieces.Count - 1} files behind it" : "")
                    + $", and this one reads it itself: {why}");
                _wanted.Remove(seen.Number);
            }
            else if (_fetches.Count < FetchedAtOnce)
                _fetches[seen.Number] = Task.Run(() => FetchAsync(seen, wanted.Pieces, store, folder, cancel), cancel);
        }
    }

    // True where a piece has come.
    private async Task<bool> CollectAsync(Action<SourcePiece> came, CancellationToken cancel)
    {
        var over = _fetches.Where(f => f.Value.IsCompleted).ToList();
        foreach (var (piece, fetch) in over)
        {
            _fetches.Remove(piece);
            try
            {
                await fetch;
            }
            catch (Exception e) when (e is BlobLostException or HttpRequestException or FileNotFoundException)
            {
                _lost.Add(piece);
                continue;
            }
            await acknowledged.AddAsync(_wanted[piece].Pieces, cancel);
            _wanted.Remove(piece, out var taken);
            // It may read what has come, which takes a while.
            await Task.Run(() => taken.Pieces.ToList().ForEach(came), CancellationToken.None);
        }
        return over.Count > 0;
    }

    private async Task FetchAsync(
        PieceView seen, IReadOnlyList<SourcePiece> pieces, PieceStore store, string folder, CancellationToken cancel)
    {
        if (_blobs.Find(seen.Pack!.Value) is { } here)
        {
            TakeIn(here);
            return;
        }
        node.Agent.Tell(new NodeAgent.FetchFrom([seen.Source!]));
        // A fetch that breaks off goes on where it was.
        var fetched = Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "fetched")).FullName, $"{seen.Number}");
        await node.Context.Fetcher.FetchFileAsync(seen.Pack.Value, fetched, MostBytes, cancel);
        TakeIn(fetched);
        File.Delete(fetched);

        void TakeIn(string path)
        {
            using var pack = File.OpenRead(path);
            foreach (var piece in pieces)
                store.TakeIn(piece, pack);
        }
    }

    // Where nobody answers, nodes and supervisors end it by themselves.
    private async Task EndAsync(RunId job)
    {
        try
        {
            await node.AskAsync<BuildView>(new BuildRequest.End(job), EndDeadline);
        }
        catch (UnavailableException)
        {
            // They notice that nobody asks any more.
        }
    }
}
