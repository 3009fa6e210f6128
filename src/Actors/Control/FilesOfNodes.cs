using System.Diagnostics;
using Akka.Actor;
using Elastic.Actors.Nodes;
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

    // A node that starts again is not known for a moment.
    private const int Refusals = 3;

    private readonly Dictionary<string, string> _endpoints = [];

    /// <inheritdoc/>
    public async Task<NodeListing> ListAsync(NodePath path, CancellationToken cancel)
    {
        var list = Guid.NewGuid().ToString("N");
        var watch = Stopwatch.StartNew();
        for (var (asked, refused) = (0, 0); ; asked++)
        {
            var reply = await node.AskAsync<NodeReply>(
                new NodeRequest.ListFiles(path.Node, path.Path, list, origin with { Id = $"{list}-{asked}" }), Deadline, cancel);
            if (reply is NodeReply.Files { Listing: { } listing, Endpoint: var endpoint })
            {
                lock (_endpoints)
                    _endpoints[path.Node] = endpoint;
                return NodeListing.Read(await ReadAsync(listing, endpoint, cancel));
            }
            if (reply is NodeReply.Refused no && ++refused == Refusals)
                throw new ElasticException($"{path}: {no.Why}");
            if (watch.Elapsed > MostOfAList)
                throw new ElasticException($"{path}: its node has not listed the files in {MostOfAList.TotalHours} hours: see whether its "
                    + "disk answers, or name a part of the path");
            if (asked == 0 && reply is NodeReply.Files)
                say($"waits for {path}: its node reads the files for their digests");
            await Task.Delay(reply is NodeReply.Refused ? Pause.After(refused - 1) : BetweenQuestions, cancel);
        }
    }

    /// <inheritdoc/>
    public async Task FetchAsync(NodePath path, ListedFile file, string into, CancellationToken cancel)
    {
        var digest = new Digest(file.Sha256);
        // A node may name itself.
        if (node.Context.Blobs.Find(digest) is { } here)
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
        if (node.Context.Blobs.Find(listing) is { } here)
            return await File.ReadAllBytesAsync(here, cancel);
        node.Agent.Tell(new NodeAgent.FetchFrom([endpoint]));
        return await node.Context.Fetcher.ReadAsync(listing, NodeListing.MostBytes, cancel);
    }
}
