using Elastic.Actors;
using Elastic.Actors.Corpora;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Host.Configuration;
using Elastic.Host.Display;

namespace Elastic.Host.Commands;

/// <summary>Builds the corpus of some settings with the node's tokenizer pool, and shows the progress.</summary>
internal static class CorpusBuild
{
    public static async Task<BuiltCorpus> RunAsync(ElasticSettings settings, IRunDisplay display, CancellationToken cancel)
    {
        await using var node = await ElasticNode.StartAsync(settings.Node, cancel);
        return await RunAsync(node, settings, display, cancel);
    }

    /// <summary>
    /// The corpus of the run that the settings go on with, as it was built; else builds it from its sources, with a table of metadata where
    /// these are the text of a build.
    /// </summary>
    public static async Task<BuiltCorpus> RunAsync(
        ElasticNode node, ElasticSettings settings, IRunDisplay display, CancellationToken cancel)
    {
        if (settings.Corpus is { } known && node.OpenCorpus(known) is { } opened)
            return opened;
        var asked = DefaultMixture.Apply(settings.Training.Corpus);
        var corpus = await node.BuildCorpusAsync(asked, new Report(display), cancel);
        if (BuiltText.Of(asked) is { } text)
            await MetadataTable.WriteAsync(text, corpus, asked, cancel);
        return corpus;
    }

    // Progress<T> would hand the reports to the thread pool, where they can overtake each other.
    private sealed class Report(IRunDisplay display) : IProgress<CorpusProgress>
    {
        void IProgress<CorpusProgress>.Report(CorpusProgress value)
        {
            if (value.Notice is { } notice)
                display.Notice(notice);
            else
                display.Corpus(value);
        }
    }
}
