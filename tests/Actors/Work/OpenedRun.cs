using Elastic.Actors.Nodes;
using Elastic.Actors.Tests.Corpora;
using Elastic.Actors.Tests.Nodes;
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
    /// <param name="evaluatedEvery">Of these rounds one; 0 for none, which settings that change in mid-run do not allow.</param>
    /// <param name="sources">What corpus.sources says; it is not read.</param>
    public static NodeRun Of(string folder, BlobFetcher fetcher, int evaluatedEvery = 0, params string[] sources)
    {
        var settings = TinySettings.Of("tiny");
        var context = LoneNode.Of(new DataPaths(folder), fetcher);
        var corpus = OneText.Build(Path.Combine(folder, "corpus"));
        var open = new NodeCommand.OpenRun(new RunId("tiny-3k9v2mq7"))
        {
            Number = new OrderId(1, 1),
            Settings = SettingsText.Write(settings with
            {
                Evaluation = EvaluationSettings.Defaults with { EveryRounds = evaluatedEvery },
                Corpus = settings.Corpus with { Sources = sources },
            }),
            Corpus = corpus.Id,
            Manifest = null,
            Sources = [],
            Part = Part.Whole,
        };
        return new NodeRun(open, context, corpus, new BlobStore(context.Paths.Blobs(open.RunId)));
    }
}
