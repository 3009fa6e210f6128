using System.Diagnostics;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Storage;

namespace Elastic.Actors.Nodes;

/// <summary>
/// What a node knows of the build of a corpus that it does numbered pieces for. What came of them it keeps until the asker has taken it,
/// also where the order was dropped, so that no change of supervisors has it done again. Thread-safe.
/// </summary>
internal abstract class NodePieces : NodeJob
{
    // Where the asker and its supervisor are gone together, nobody says that the build is over.
    private static readonly TimeSpan LongestIdle = TimeSpan.FromMinutes(10);

    // Of all builds of this process.
    private static readonly SemaphoreSlim Cores = new(Environment.ProcessorCount);

    private readonly string _folder;
    private readonly CancellationTokenSource _closing = new();
    private readonly Lock _gate = new();
    private readonly Dictionary<int, (Digest Piece, Task<Digest> Doing)> _pieces = [];
    private readonly Dictionary<int, Digest> _kept = [];
    private long _used = Stopwatch.GetTimestamp();

    protected NodePieces(NodeCommand.OpenRun build, NodeContext context, BlobStore blobs, string folder)
        : base(build.RunId, context, blobs)
    {
        (Manifest, _folder) = (build.Manifest!.Value, folder);
        Fetcher = new JobFetcher(context.Blobs, context.Fetcher);
    }

    /// <summary>The digest of what pieces are done by.</summary>
    public Digest Manifest { get; }

    /// <inheritdoc/>
    public override JobFetcher Fetcher { get; }

    /// <summary>Nobody has asked for anything for long.</summary>
    public bool IsForgotten
    {
        get
        {
            lock (_gate)
                return _pieces.Values.All(p => p.Doing.IsCompleted) && Stopwatch.GetElapsedTime(_used) > LongestIdle;
        }
    }

    /// <summary>Does a piece, or gives what came of it before.</summary>
    /// <param name="piece">What it is, as a blob.</param>
    /// <param name="taken">The asker has all pieces before this number.</param>
    /// <returns>What came of it, as a blob.</returns>
    public Task<Digest> DoAsync(Digest piece, int number, int taken)
    {
        lock (_gate)
        {
            _closing.Token.ThrowIfCancellationRequested();
            _used = Stopwatch.GetTimestamp();
            Forget(taken);
            if (_pieces.TryGetValue(number, out var known) && known.Piece == piece
                && (!known.Doing.IsCompleted || (known.Doing.IsCompletedSuccessfully && Blobs.Has(known.Doing.Result))))
                return known.Doing;
            var doing = Task.Run(() => DoAsync(piece, number));
            _pieces[number] = (piece, doing);
            return doing;
        }
    }

    /// <inheritdoc/>
    public override async Task CloseAsync()
    {
        Task[] doing;
        lock (_gate)
        {
            _closing.Cancel();
            doing = [.. _pieces.Values.Select(p => p.Doing)];
        }
        await Task.WhenAll(doing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Does a piece.</summary>
    /// <param name="pack">Takes what comes of it.</param>
    /// <param name="closing">Nobody wants it any more.</param>
    protected abstract Task WriteAsync(Digest piece, Stream pack, CancellationToken closing);

    /// <summary>Computes for a minute or so, when there is a core: on a thread of its own, not one of the pool's few.</summary>
    protected async Task OnCoreAsync(Action work)
    {
        await Cores.WaitAsync(_closing.Token);
        try
        {
            await Task.Factory.StartNew(work, _closing.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        finally
        {
            Cores.Release();
        }
    }

    private void Forget(int taken)
    {
        foreach (var over in _pieces.Where(p => p.Key < taken && p.Value.Doing.IsCompleted).Select(p => p.Key).ToList())
            _pieces.Remove(over);
        var given = _kept.Keys.Where(number => number < taken).ToList();
        given.ForEach(number => _kept.Remove(number));
        if (given.Count > 0)
            Blobs.Collect(_kept.Values.ToHashSet(), round: 1);
    }

    private async Task<Digest> DoAsync(Digest piece, int number)
    {
        var path = DurableFile.TemporaryPath(Path.Combine(_folder, "pack"));
        try
        {
            await using (var pack = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None))
                await WriteAsync(piece, pack, _closing.Token);
            var digest = await Task.Run(() => DigestOf(path), _closing.Token);
            lock (_gate)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Blobs.PathOf(digest))!);
                Blobs.Adopt(digest, path);
                _kept[number] = digest;
                _used = Stopwatch.GetTimestamp();
            }
            return digest;
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static Digest DigestOf(string path)
    {
        using var file = File.OpenRead(path);
        return Digest.Of(file);
    }
}
