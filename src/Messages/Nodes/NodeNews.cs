using Elastic.Foundation;

namespace Elastic.Messages.Nodes;

/// <summary>What the supervising seed tells a node, whatever run it works for.</summary>
public abstract record NodeNews : ISaidBySeed
{
    /// <summary>The answer to each heartbeat.</summary>
    /// <param name="Endpoint">The supervising seed's endpoint, to which the node keeps a liveness connection.</param>
    public sealed record Welcome(string Endpoint) : NodeNews
    {
        /// <summary>The number of the seed's list of revoked certificates; 0 where there is none.</summary>
        public long Revocations { get; init; }

        /// <summary>The seed's list of revoked certificates, signed by the authority, where the node's is older.</summary>
        public string? Revoked { get; init; }
    }

    /// <summary>The node is not enlisted yet, and why; the node's next heartbeat asks again.</summary>
    public sealed record Wait(string Why) : NodeNews;

    /// <summary>The node cannot be part of this cluster, and why.</summary>
    public sealed record Refused(string Why) : NodeNews;

    /// <summary>A person says which devices the node has from now on. Answered by <see cref="NodeReport.DevicesUsed"/>.</summary>
    /// <param name="Request">Names the request in the answer.</param>
    /// <param name="Devices">As <c>node.devices</c>.</param>
    public sealed record UseDevices(string Request, string Devices) : NodeNews;

    /// <summary>
    /// A person wants the node to take no more work, or to take work again. Answered by <see cref="NodeReport.DrainChanged"/>.
    /// </summary>
    /// <param name="Request">Names the request in the answer.</param>
    public sealed record Drain(string Request, bool Undo) : NodeNews;

    /// <summary>A person wants to know what the node's threads do. Answered by <see cref="NodeReport.ThreadsShown"/>.</summary>
    /// <param name="Request">Names the request in the answer.</param>
    public sealed record ShowThreads(string Request) : NodeNews;

    /// <summary>A build of a corpus reads files of the node. Answered by <see cref="NodeReport.FilesListed"/>.</summary>
    /// <param name="Request">Names the request in the answer.</param>
    /// <inheritdoc cref="NodeRequest.ListFiles"/>
    public sealed record ListFiles(string Request, string Path, string List) : NodeNews;

    /// <summary>
    /// A person wants the corpus to be deleted, built or fetched; no run that goes on reads it. Answered by
    /// <see cref="NodeReport.CorpusDeleted"/>.
    /// </summary>
    /// <param name="Request">Names the request in the answer.</param>
    public sealed record DeleteCorpus(string Request, Digest Corpus) : NodeNews;
}
