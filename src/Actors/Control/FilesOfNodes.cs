using System.Diagnostics;
using Akka.Actor;
using Elastic.Actors.Nodes;
using Elastic.Actors.Runs;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Actors.Control;

/// <summary>The files of the nodes of this cluster, over the supervisors and the data plane.</summary>
/// <param name="say">Is told what it waits for.</param>
internal sealed class FilesOfNodes(ElasticNode node, Origin origin, Action<string> say) : ISourceNodes
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan BetweenQuestions = TimeSpan.FromSeconds(1);

    // Its node reads every byte of the path for the digests: 50 TB of a disk that gives 600 MB/s.
    private static readonly TimeSpan MostOfAList = TimeSpan.FromHours(24);

    // Of a node that is not there: one that starts again is back sooner.
    private static readonly Backoff Pause = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(15));
    private const int Attempts = 5;

    // Of the node itself, or of one that has not answered yet: there may be none of that name.
    private const int Refusals = 3;

    // Since the last answer of a node that has been there: it may just be starting again.
    private static readonly TimeSpan Absence = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, string> _endpoints = [];

    /// <inheritdoc/>
    public async Task<NodeListing> ListAsync(NodePath path, CancellationToken cancel)
    {
        var list = Guid.NewGuid().ToString("N");
        var (watch, answered, failures, refusals, isSaid) = (Stopwatch.StartNew(), (Stopwatch?)null, 0, 0, false);
        for (var asked = 0; ; asked++)
        {
            if (watch.Elapsed > MostOfAList)
                throw new ElasticException($"{path}: its node has not listed the files in {MostOfAList.TotalHours} hours: see whether its "
                    + "disk answers, or name a part of the path");
            switch (await AskAsync(new NodeRequest.ListFiles(path.Node, path.Path, list, origin with { Id = $"{list}-{asked}" }), cancel))
            {
                case (NodeReply.Files { Listing: { } listing, Endpoint: var endpoint }, _):
                    lock (_endpoints)
                        _endpoints[path.Node] = endpoint;
                    return NodeListing.Read(await ReadAsync(listing, endpoint, cancel));
                case (NodeReply.Refused { Why: var why }, _)
                    when !(answered?.Elapsed < Absence && NodeRequests.IsAbsence(why, path.Node)) && ++refusals == Refusals:
                    throw new ElasticException($"{path}: {why}");
                case (NodeReply.Files, _):
                    (answered, failures) = (Stopwatch.StartNew(), 0);
                    if (!isSaid)
                        say($"waits for {path}: its node reads the files for their digests");
                    isSaid = true;
                    break;
                case (NodeReply.Refused, _):
                    failures++;
                    break;
                // The supervisors move to another seed, and the node goes on reading meanwhile.
                case (null, { } unavailable):
                    answered?.Restart();
                    if (++failures == 1)
                        say($"waits for {path}: {unavailable}");
                    break;
            }
            await Task.Delay(failures > 0 ? Pause.After(failures - 1) : BetweenQuestions, cancel);
        }
    }

    private async Task<(NodeReply? Reply, string? Unavailable)> AskAsync(NodeRequest request, CancellationToken cancel)
    {
        try
        {
            return (await node.AskAsync<NodeReply>(request, Deadline, cancel), null);
        }
        catch (UnavailableException e)
        {
            return (null, e.Message);
        }
    }

    /// <inheritdoc/>
    public async Task FetchAsync(NodePath path, ListedFile file, string into, CancellationToken cancel)
    {
        var digest = new Digest(file.Sha256);
        // A node may name itself.
        if (await node.Context.Blobs.FindAsync(digest, cancel) is { } here)
        {
            File.Copy(here, into, overwrite: true);
            return;
        }
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                lock (_endpoints)
                    node.Agent.Tell(new NodeAgent.FetchFrom([_endpoints[path.Node]]));
                await node.Context.Fetcher.FetchFileAsync(digest, into, Math.Max(1, file.Bytes), cancel);
                return;
            }
            catch (Exception e) when (e is BlobLostException or HttpRequestException)
            {
                if (attempt + 1 == Attempts)
                    throw new ElasticException($"{path}: node {path.Node} does not give {file.Name} as it listed it ({e.Message}): build "
                        + "again when nothing writes to it any more and the node is up", e);
            }
            await Task.Delay(Pause.After(attempt), cancel);
        }
    }

    private async Task<byte[]> ReadAsync(Digest listing, string endpoint, CancellationToken cancel)
    {
        if (await node.Context.Blobs.FindAsync(listing, cancel) is { } here)
            return await File.ReadAllBytesAsync(here, cancel);
        node.Agent.Tell(new NodeAgent.FetchFrom([endpoint]));
        return await node.Context.Fetcher.ReadAsync(listing, NodeListing.MostBytes, cancel);
    }
}
