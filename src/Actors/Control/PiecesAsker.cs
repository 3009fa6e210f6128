using System.Security.Cryptography;
using Akka.Actor;
using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Actors.Control;

/// <summary>What a build does with pieces that nodes do for it.</summary>
internal interface IPiecesTaker
{
    /// <summary>Bytes of what comes of a piece, at most.</summary>
    long MostBytesOf(int piece);

    /// <summary>What came of a piece is in a file, which stays: takes it in, durably. Called for some pieces at once.</summary>
    /// <exception cref="ElasticException">It is not what comes of such a piece.</exception>
    void TakeIn(int piece, string file);

    /// <summary>A piece was taken in. One after the other.</summary>
    Task TakenAsync(int piece, CancellationToken cancel);

    /// <summary>No node can do a piece. One after the other.</summary>
    /// <param name="description">What it is.</param>
    Task GiveUpAsync(int piece, byte[] description, string why, CancellationToken cancel);
}

/// <summary>
/// Has numbered pieces of a build done by the nodes of the cluster: a job of its own. This process keeps what the job needs and serves it;
/// the supervisors give the pieces to nodes; what came of them is fetched, piece by piece, and is taken in here before a node forgets it.
/// Whichever nodes and supervisors are lost, it goes on while this process lives. Not thread-safe.
/// </summary>
/// <param name="kind">What the pieces are.</param>
/// <param name="say">Is told what it waits for.</param>
internal sealed class PiecesAsker(
    ElasticNode node, Origin origin, WorkKindOfBuilds kind, IPiecesTaker taker, Action<string> say) : IAsyncDisposable
{
    // A disk writes no faster from more.
    private const int FetchedAtOnce = 4;

    // What nodes did and nobody could give, so often: then it is done here.
    private const int MostLosses = 5;

    private readonly SortedDictionary<int, Digest> _wanted = [];
    private readonly Dictionary<int, Task> _fetches = [];
    private readonly HashSet<int> _lost = [];
    private readonly Dictionary<int, int> _losses = [];
    private JobAsker<BuildView>? _job;
    private Digest _manifest;
    private long _number;
    private int _nodes;

    /// <summary>The job.</summary>
    public RunId Job { get; } = RunId.Draw(new RunName("build"), RandomNumberGenerator.GetBytes(Identifier.DrawnBytes));

    /// <summary>Nodes that do pieces now. May be read by any thread.</summary>
    public int Nodes => Volatile.Read(ref _nodes);

    /// <summary>Pieces that are wanted and have not come.</summary>
    public int Wanted => _wanted.Count;

    private string Folder => node.Paths.Build(Job, isAsker: true);

    /// <summary>Serves what the pieces are done by.</summary>
    public void Begin(byte[] manifest)
    {
        _job = new JobAsker<BuildView>(
            (request, within, cancel) => node.AskAsync<BuildView>(request, within, cancel), node.Context.Blobs, Folder,
            new BuildRequest.End(Job), say);
        _manifest = _job.Store.Put(manifest);
    }

    /// <summary>Wants a piece, from the next turn on.</summary>
    /// <param name="description">What it is.</param>
    public void Want(int piece, byte[] description) => _wanted[piece] = _job!.Store.Put(description);

    /// <summary>Asks once, and takes what has come. Where nothing has, it waits for a moment.</summary>
    /// <param name="hurries">There is more to want: it does not wait.</param>
    /// <exception cref="ElasticException">The supervisors take no more such jobs.</exception>
    public async Task TurnAsync(bool hurries, CancellationToken cancel)
    {
        if (await AskAsync(cancel) is { } view)
            await TakeAsync(view, cancel);
        if (!await CollectAsync(cancel) && !hurries)
            await Task.Delay(JobAsker<BuildView>.BetweenQuestions, cancel);
    }

    /// <summary>Ends the job, and removes what it needed.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_job is null)
            return;
        using (_job)
        {
            await _job.EndAsync();
            await Task.WhenAll(_fetches.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // Null where nobody answers.
    private async Task<BuildView?> AskAsync(CancellationToken cancel)
    {
        var request = new BuildRequest.Do(Job)
        {
            Origin = origin,
            Work = kind.Name,
            Number = ++_number,
            Manifest = _manifest,
            Source = node.HttpEndpoint.ToString(),
            Wanted = [.. _wanted.Keys],
            Pieces = [.. _wanted.Values],
            Lost = [.. _lost],
        };
        if (await _job!.AskAsync(request, cancel) is not { } view)
            return null;
        if (view.Refusal is { } refusal)
            throw new ElasticException(refusal);
        _lost.Clear();
        Volatile.Write(ref _nodes, view.Nodes);
        _job.WaitFor(view.WaitsFor);
        return view;
    }

    // What a view names stays wanted until it is taken in: the node that has done it keeps it until then.
    private async Task TakeAsync(BuildView view, CancellationToken cancel)
    {
        // An answer to an earlier request may name what has come since.
        foreach (var seen in view.Pieces.Where(p => _wanted.ContainsKey(p.Number) && !_fetches.ContainsKey(p.Number)))
        {
            if (seen.Failure is { } why)
                await GiveUpAsync(seen.Number, why, cancel);
            else if (_fetches.Count < FetchedAtOnce)
                _fetches[seen.Number] = Task.Run(() => FetchAsync(seen, cancel), cancel);
        }
    }

    // True where a piece has come.
    private async Task<bool> CollectAsync(CancellationToken cancel)
    {
        var over = _fetches.Where(f => f.Value.IsCompleted).ToList();
        foreach (var (piece, fetch) in over)
        {
            _fetches.Remove(piece);
            try
            {
                await fetch;
            }
            catch (Exception e) when (e is BlobLostException or HttpRequestException or FileNotFoundException or DirectoryNotFoundException)
            {
                if ((_losses[piece] = _losses.GetValueOrDefault(piece) + 1) > MostLosses)
                    await GiveUpAsync(piece, e.Message, cancel);
                else
                    _lost.Add(piece);
                continue;
            }
            // What a node gave is not what it was asked for, and it would give the same again.
            catch (ElasticException e)
            {
                await GiveUpAsync(piece, e.Message, cancel);
                continue;
            }
            await taker.TakenAsync(piece, cancel);
            _wanted.Remove(piece);
        }
        if (over.Count > 0)
            _job!.Store.Collect(_wanted.Values.Append(_manifest).ToHashSet(), round: 1);
        return over.Count > 0;
    }

    private async Task GiveUpAsync(int piece, string why, CancellationToken cancel)
    {
        await taker.GiveUpAsync(piece, _job!.Store.Read(_wanted[piece]), why, cancel);
        _wanted.Remove(piece);
    }

    private async Task FetchAsync(PieceView seen, CancellationToken cancel)
    {
        if (await node.Context.Blobs.FindAsync(seen.Pack!.Value, cancel) is { } here)
        {
            taker.TakeIn(seen.Number, here);
            return;
        }
        node.Agent.Tell(new NodeAgent.FetchFrom([seen.Source!]));
        // A fetch that breaks off goes on where it was.
        var fetched = Path.Combine(Directory.CreateDirectory(Path.Combine(Folder, "fetched")).FullName, $"{seen.Number}");
        await node.Context.Fetcher.FetchFileAsync(seen.Pack.Value, fetched, taker.MostBytesOf(seen.Number), cancel);
        try
        {
            taker.TakeIn(seen.Number, fetched);
        }
        finally
        {
            File.Delete(fetched);
        }
    }
}
