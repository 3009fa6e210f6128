using Elastic.Actors.Corpora;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Storage;

namespace Elastic.Actors.Nodes;

/// <summary>What a node knows of the build of a corpus that it makes tokens of pieces of the text for. Thread-safe.</summary>
internal sealed class NodeTokens : NodePieces
{
    private readonly TokenPlan _plan;

    private NodeTokens(NodeCommand.OpenRun build, NodeContext context, BlobStore blobs, string folder, TokenPlan plan)
        : base(build, context, blobs, folder) => _plan = plan;

    /// <summary>Opens the making of tokens: reads the tokenizer.</summary>
    /// <exception cref="ElasticException">The tokenizer is not known here.</exception>
    /// <exception cref="BlobLostException">No node has the tokenizer.</exception>
    public static async Task<NodePieces> OpenAsync(NodeCommand.OpenRun build, NodeContext context, BlobStore blobs, string folder)
    {
        var plan = build.Manifest!.Value;
        var bytes = await context.Blobs.FindAsync(plan, CancellationToken.None) is { } here
            && new FileInfo(here).Length <= TokenPlan.MostBytes
            ? await File.ReadAllBytesAsync(here)
            : await context.Fetcher.ReadAsync(plan, TokenPlan.MostBytes, CancellationToken.None);
        return new NodeTokens(build, context, blobs, folder, await Task.Run(() => TokenPlan.Read(bytes)));
    }

    /// <inheritdoc/>
    protected override async Task WriteAsync(Digest piece, Stream pack, CancellationToken closing)
    {
        var documents = DocumentPiece.Read(await Fetcher.ReadAsync(piece, DocumentPiece.MostBytes, closing));
        await OnCoreAsync(() =>
        {
            Faults.BuildStep?.Invoke(ITokenPass.Step);
            TokenPiece.Write(_plan.Tokenize(new DocumentBatch(0, documents), closing).Documents, pack);
        });
    }
}
