using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Storage;

namespace Elastic.Actors.Nodes;

/// <summary>What a node knows of the build of a corpus that it reads pieces of sources for. Thread-safe.</summary>
internal sealed class NodeBuild : NodePieces
{
    private readonly SharedManifest _manifest;
    private readonly BuildSources? _sources;                            // null where this process asks
    private readonly PieceStore _store;

    private NodeBuild(
        NodeCommand.OpenRun build, NodeContext context, BlobStore blobs, string folder, SharedManifest manifest, BuildSources? sources)
        : base(build, context, blobs, folder)
    {
        (_manifest, _sources) = (manifest, sources);
        _store = new PieceStore(Path.Combine(folder, "pieces"), context.Faults.BuildStep);
    }

    /// <summary>Opens a build: reads the manifest, and makes its stages.</summary>
    /// <exception cref="ElasticException">A stage is not known here, or reads a file that it may not read here.</exception>
    /// <exception cref="BlobLostException">No node has the manifest.</exception>
    public static async Task<NodePieces> OpenAsync(NodeCommand.OpenRun build, NodeContext context, BlobStore blobs, string folder)
    {
        if (context.OwnBuilds.TryGetValue(build.RunId, out var own))
            return new NodeBuild(build, context, blobs, folder, own, null);
        var sources = new BuildSources(context.CorpusRoots, context.Fetcher, Path.Combine(folder, "sources"));
        var bytes = await context.Fetcher.ReadAsync(build.Manifest!.Value, SharedManifest.MostBytes, CancellationToken.None);
        var manifest = await Task.Run(() => SharedManifest.Read(bytes, StageKinds.Find, sources.Allow));
        return new NodeBuild(build, context, blobs, folder, manifest, sources);
    }

    /// <inheritdoc/>
    protected override async Task WriteAsync(Digest piece, Stream pack, CancellationToken closing)
    {
        foreach (var described in PieceBatch.Read(await Fetcher.ReadAsync(piece, PieceBatch.MostBytes, closing)))
        {
            await (Faults.BeforePiece?.Invoke(described.Name, closing) ?? Task.CompletedTask);
            if (_sources is null)
                await ReadAsync(described, null, pack, closing);
            else
                await _sources.WithAsync(described, async copy =>
                {
                    await ReadAsync(described, copy, pack, closing);
                    return true;
                }, closing);
        }
    }

    private Task ReadAsync(SharedPiece described, string? copy, Stream pack, CancellationToken closing) => OnCoreAsync(() =>
    {
        var piece = _manifest.PieceOf(described, copy);
        _store.Read(piece, _manifest.Manifest, closing);
        _store.Write(piece, pack);
        _store.Remove(piece);
    });
}
