using Elastic.Actors.Corpora;
using Elastic.Actors.Nodes;
using Elastic.Actors.Tests.Corpora;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Settings;
using Elastic.Messages.Work;
using Elastic.Storage;
using Elastic.Testing;
using Elastic.Transfer;

namespace Elastic.Actors.Tests.Work;

/// <summary>A tiny run as a node has opened it, without the node.</summary>
internal static class OpenedRun
{
    public static NodeRun Of(string folder, BlobFetcher fetcher)
    {
        var (paths, blobs) = (new DataPaths(folder), new BlobLocations());
        var context = new NodeContext
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
        var corpus = OneText.Build(Path.Combine(folder, "corpus"));
        var open = new NodeCommand.OpenRun(new RunId("tiny-3k9v2mq7"))
        {
            Number = new OrderId(1, 1),
            Settings = SettingsText.Write(
                TinySettings.Of("tiny") with { Evaluation = EvaluationSettings.Defaults with { EveryRounds = 0 } }),
            Corpus = corpus.Id,
            Manifest = null,
            Sources = [],
            Part = Part.Whole,
        };
        return new NodeRun(open, context, corpus, new BlobStore(paths.Blobs(open.RunId)));
    }
}
