using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Storage;

namespace Elastic.Actors.Nodes;

/// <summary>
/// Runs whose files this node had when its process began, and which nobody has opened since: finished ones, whose checkpoints other nodes
/// may ask for. It serves their blobs, and the corpora that these belong to. Part of NodeAgent: used on its mailbox only.
/// </summary>
internal sealed class UnopenedRuns
{
    private readonly NodeContext _context;
    private readonly Dictionary<RunId, BlobStore> _stores = [];

    public UnopenedRuns(NodeContext context)
    {
        _context = context;
        if (!Directory.Exists(context.Paths.Runs))
            return;
        foreach (var name in Directory.EnumerateDirectories(context.Paths.Runs).Select(Path.GetFileName))
            if (RunId.IsId(name))
            {
                var run = new RunId(name!);
                _stores[run] = new BlobStore(context.Paths.Blobs(run), readOnly: true);
                context.Blobs.Add(_stores[run]);
            }
        // Manifests are small, and some disks are slow.
        List<RunId> runs = [.. _stores.Keys];
        _ = Task.Run(async () =>
        {
            foreach (var run in runs)
                await ServeCorpusAsync(context, run);
        });
    }

    /// <summary>Serves the run's blobs no more: another store of them is there, or they go.</summary>
    public void Forget(RunId run)
    {
        if (_stores.Remove(run, out var store))
            _context.Blobs.Remove(store);
    }

    private static async Task ServeCorpusAsync(NodeContext context, RunId run)
    {
        try
        {
            if (CheckpointFiles.Read(context.Paths.Checkpoints(run)).FirstOrDefault(c => c.Manifest is not null).Manifest is { } manifest)
                await context.Corpora.OpenAsync(new Digest(manifest.Corpus), null, CancellationToken.None);
        }
        catch (Exception e) when (e is ElasticException or IOException or UnauthorizedAccessException)
        {
            // It is not here, or damaged: who needs it says so.
        }
    }
}
