using System.Diagnostics;
using System.Security.Cryptography;
using Elastic.Coordination;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Storage;

namespace Elastic.Actors.Nodes;

/// <summary>
/// What a node knows of the build of a corpus that it reads pieces for. What it has read it keeps until the asker has taken it, also where
/// the order was dropped, so that no change of supervisors has it read again. Thread-safe.
/// </summary>
internal sealed class NodeBuild : NodeJob
{
    // Where the asker and its supervisor are gone together, nobody says that the build is over.
    private static readonly TimeSpan LongestIdle = TimeSpan.FromMinutes(10);

    private readonly SharedManifest _manifest;
    private readonly string _folder;
    private readonly BuildSources? _sources;                            // null where this process asks
    private readonly PieceStore _store;
    private readonly CancellationTokenSource _closing = new();
    private readonly Lock _gate = new();
    private readonly Dictionary<int, (Digest Pieces, Task<PieceRead> Reading)> _pieces = [];
    private readonly Dictionary<int, PieceRead> _kept = [];
    private long _used = Stopwatch.GetTimestamp();

    private NodeBuild(
        NodeCommand.OpenRun build, NodeContext context, BlobStore blobs, string folder, SharedManifest manifest, BuildSources? sources)
        : base(build.RunId, context, blobs)
    {
        (Manifest, _manifest, _sources, _folder) = (build.Manifest!.Value, manifest, sources, folder);
        _store = new PieceStore(Path.Combine(folder, "pieces"), context.Faults.BuildStep);
    }

    /// <summary>The digest of the manifest.</summary>
    public Digest Manifest { get; }

    /// <summary>Nobody has asked for anything for long.</summary>
    public bool IsForgotten
    {
        get
        {
            lock (_gate)
                return _pieces.Values.All(p => p.Reading.IsCompleted) && Stopwatch.GetElapsedTime(_used) > LongestIdle;
        }
    }

    /// <summary>Opens a build: reads the manifest, and makes its stages.</summary>
    /// <exception cref="ElasticException">A stage is not known here, or reads a file that it may not read here.</exception>
    /// <exception cref="BlobLostException">No node has the manifest.</exception>
    public static async Task<NodeBuild> OpenAsync(NodeCommand.OpenRun build, NodeContext context, BlobStore blobs, string folder)
    {
        if (context.OwnBuilds.TryGetValue(build.RunId, out var own))
            return new NodeBuild(build, context, blobs, folder, own, null);
        var sources = new BuildSources(context.CorpusRoots, context.Fetcher, Path.Combine(folder, "sources"));
        var bytes = await context.Fetcher.ReadAsync(build.Manifest!.Value, SharedManifest.MostBytes, CancellationToken.None);
        var manifest = await Task.Run(() => SharedManifest.Read(bytes, StageKinds.Find, sources.Allow));
        return new NodeBuild(build, context, blobs, folder, manifest, sources);
    }

    /// <summary>Reads a piece through the stages, or gives what reading it came to before.</summary>
    /// <param name="cores">What may be read at once in this process.</param>
    public Task<PieceRead> ReadAsync(ReadPiece order, SemaphoreSlim cores)
    {
        lock (_gate)
        {
            _closing.Token.ThrowIfCancellationRequested();
            _used = Stopwatch.GetTimestamp();
            Forget(order.Taken);
            if (_pieces.TryGetValue(order.Number, out var known) && known.Pieces == order.Pieces
                && (!known.Reading.IsCompleted || (known.Reading.IsCompletedSuccessfully && IsHere(known.Reading.Result))))
                return known.Reading;
            var reading = Task.Run(() => ReadAsync(order.Pieces, order.Number, cores));
            _pieces[order.Number] = (order.Pieces, reading);
            return reading;
        }
    }

    /// <inheritdoc/>
    public override async Task CloseAsync()
    {
        Task[] reading;
        lock (_gate)
        {
            _closing.Cancel();
            reading = [.. _pieces.Values.Select(p => p.Reading)];
        }
        await Task.WhenAll(reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private bool IsHere(PieceRead read) => Blobs.Has(read.Pack);

    private void Forget(int taken)
    {
        foreach (var over in _pieces.Where(p => p.Key < taken && p.Value.Reading.IsCompleted).Select(p => p.Key).ToList())
            _pieces.Remove(over);
        var given = _kept.Keys.Where(number => number < taken).ToList();
        given.ForEach(number => _kept.Remove(number));
        if (given.Count > 0)
            Blobs.Collect(_kept.Values.Select(k => k.Pack).ToHashSet(), round: 1);
    }

    private async Task<PieceRead> ReadAsync(Digest description, int number, SemaphoreSlim cores)
    {
        var pieces = PieceBatch.Read(await ReadAsync(description, PieceBatch.MostBytes));
        var path = DurableFile.TemporaryPath(Path.Combine(_folder, "pack"));
        try
        {
            await using (var pack = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                foreach (var piece in pieces)
                {
                    await (Faults.BeforePiece?.Invoke(piece.Name, _closing.Token) ?? Task.CompletedTask);
                    await (_sources is null ? ReadAsync(piece, null, pack, cores)
                        : _sources.WithAsync(piece, copy => ReadAsync(piece, copy, pack, cores), _closing.Token));
                }
            }
            var read = new PieceRead(await Task.Run(() => DigestOf(path), _closing.Token));
            lock (_gate)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Blobs.PathOf(read.Pack))!);
                Blobs.Adopt(read.Pack, path);
                _kept[number] = read;
                _used = Stopwatch.GetTimestamp();
            }
            return read;
        }
        finally
        {
            File.Delete(path);
        }
    }

    private async Task<bool> ReadAsync(SharedPiece described, string? copy, Stream pack, SemaphoreSlim cores)
    {
        await cores.WaitAsync(_closing.Token);
        try
        {
            // It computes for a minute or so: a thread of its own, not one of the pool's few.
            await Task.Factory.StartNew(
                () =>
                {
                    var piece = _manifest.PieceOf(described, copy);
                    _store.Read(piece, _manifest.Manifest, _closing.Token);
                    _store.Write(piece, pack);
                    _store.Remove(piece);
                }, _closing.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            return true;
        }
        finally
        {
            cores.Release();
        }
    }

    private static Digest DigestOf(string path)
    {
        using var file = File.OpenRead(path);
        return new Digest(Convert.ToHexStringLower(SHA256.HashData(file)));
    }
}
