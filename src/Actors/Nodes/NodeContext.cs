using System.Collections.Concurrent;
using Elastic.Actors.Corpora;
using Elastic.Coordination;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Nodes;

/// <summary>What a node agent knows of its process.</summary>
internal sealed record NodeContext
{
    public required NodeFacts Facts { get; init; }

    /// <summary>The devices at the start, as <c>node.devices</c> says.</summary>
    public required string Devices { get; init; }

    /// <summary>Arithmetic threads of one CPU device, where <c>node.devices</c> is this text.</summary>
    public required Func<string, int> ThreadsPerDevice { get; init; }

    public required DataPaths Paths { get; init; }

    /// <summary>The endpoint of the node's own data plane, which it does not fetch from.</summary>
    public required Endpoint Endpoint { get; init; }

    /// <summary>The blobs that the node serves to others.</summary>
    public required BlobLocations Blobs { get; init; }

    /// <summary>Fetches blobs that are missing here from other nodes.</summary>
    public required BlobFetcher Fetcher { get; init; }

    public required Peers Peers { get; init; }

    /// <summary>What the nodes of other stages of a replica are connected by.</summary>
    public required StageConnections Stages { get; init; }

    /// <summary>Tells the supervising seed that this process lives; null where that is this process alone.</summary>
    public required LivenessConnection? Liveness { get; init; }

    public required CorpusFiles Corpora { get; init; }

    /// <inheritdoc cref="HeldCheckpoints"/>
    public HeldCheckpoints Held { get; } = new();

    /// <summary>The folders that text is read from, as <c>node.corpus-roots</c> says.</summary>
    public required IReadOnlyList<string> CorpusRoots { get; init; }

    /// <summary>The builds that this process asks for, which read files of this machine by its own manifest.</summary>
    public ConcurrentDictionary<RunId, SharedManifest> OwnBuilds { get; } = [];

    /// <summary>Holds the reference to the shard region.</summary>
    public required ReaderWay Readers { get; init; }

    public required NodeFaults Faults { get; init; }

    /// <summary>Tells the person at this process what happens.</summary>
    public required Action<string> Say { get; init; }

    /// <summary>Ends the process's work for good, with a reason.</summary>
    public required Action<string> Refuse { get; init; }
}
