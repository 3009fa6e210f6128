using Elastic.Actors.Corpora;
using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>The facts and services of a node of no cluster.</summary>
internal static class LoneNode
{
    public static NodeContext Of(DataPaths paths, BlobFetcher fetcher)
    {
        var blobs = new BlobLocations();
        return new NodeContext
        {
            Facts = new NodeFacts
            {
                Id = new NodeId("a"),
                Incarnation = "1",
                Address = "",
                Endpoint = "",
                Seed = false,
                Version = "",
                Arithmetic = "",
            },
            Devices = "cpu:1",
            ThreadsPerDevice = _ => 1,
            Paths = paths,
            Endpoint = Endpoint.Parse("127.0.0.1:1"),
            Blobs = blobs,
            Fetcher = fetcher,
            Peers = new Peers(),
            Stages = new StageConnections(Transport.Plain),
            Liveness = null,
            Corpora = new CorpusFiles(paths, blobs, fetcher),
            CorpusRoots = [],
            Readers = new ReaderWay(),
            Faults = NodeFaults.None,
            Say = _ => { },
            Refuse = _ => { },
        };
    }
}
