using Elastic.Actors.Corpora;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Nodes;

/// <summary>What a node agent is told about its process.</summary>
internal sealed record NodeContext
{
    public required NodeFacts Facts { get; init; }

    public required IReadOnlyList<DeviceId> Devices { get; init; }

    /// <summary>Arithmetic threads of one CPU device.</summary>
    public required int ThreadsPerDevice { get; init; }

    public required DataPaths Paths { get; init; }

    /// <summary>Of its own data plane.</summary>
    public required Endpoint Endpoint { get; init; }

    /// <summary>What it gives to others.</summary>
    public required BlobLocations Blobs { get; init; }

    /// <summary>Gets from other nodes what is not here.</summary>
    public required BlobFetcher Fetcher { get; init; }

    public required Peers Peers { get; init; }

    public required LivenessConnection Liveness { get; init; }

    public required CorpusFiles Corpora { get; init; }

    /// <summary>The way to the shard readers.</summary>
    public required ReaderWay Readers { get; init; }

    public required NodeFaults Faults { get; init; }

    /// <summary>Tells the person at this process what happens.</summary>
    public required Action<string> Say { get; init; }

    /// <summary>The process cannot go on, and why.</summary>
    public required Action<string> Refuse { get; init; }
}
