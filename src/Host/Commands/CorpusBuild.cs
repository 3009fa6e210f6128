using Elastic.Actors;
using Elastic.Actors.Control;
using Elastic.Actors.Corpora;
using Elastic.Actors.Nodes;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Messages.Settings;

namespace Elastic.Host.Commands;

/// <summary>Builds the corpus of some settings with the node's tokenizer pool, and shows the progress.</summary>
internal static class CorpusBuild
{
    public static async Task<BuiltCorpus> RunAsync(
        ElasticSettings settings, IRunDisplay display, NodeFaults faults, CancellationToken cancel)
    {
        await using var node = await ElasticNode.StartAsync(settings.Node, NodeDuty.Train, _ => { }, faults, Transport.Plain, cancel);
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
        var corpus = await node.BuildCorpusAsync(asked, new Report(display, () => true), cancel);
        UnusedMemory.Return();
        await DescribeAsync(corpus, asked, cancel, node.Faults.BuildStep);
        return corpus;
    }

    /// <summary>
    /// The corpus of a run that reads it while it is built (corpus.order = stream): the one that it goes on with, or a new one.
    /// </summary>
    /// <param name="shows">False while the display shows the run instead.</param>
    public static async Task<GrowingCorpus> BeginAsync(
        ElasticNode node, ElasticSettings settings, IRunDisplay display, Func<bool> shows, CancellationToken cancel) =>
        settings.Corpus is { } known && node.OpenCorpus(known) is { } opened
            ? GrowingCorpus.Of(opened)
            : await node.StreamCorpusAsync(DefaultMixture.Apply(settings.Training.Corpus), new Report(display, shows), cancel);

    /// <summary>Writes the table of metadata of a corpus, where it is of the text of a build.</summary>
    public static async Task DescribeAsync(
        BuiltCorpus corpus, CorpusSettings asked, CancellationToken cancel, Action<string>? step = null)
    {
        if (BuiltText.Of(asked) is { } text)
            await MetadataTable.WriteAsync(text, corpus, asked, cancel, step);
    }

    // Progress<T> would hand the reports to the thread pool, where they can overtake each other.
    private sealed class Report(IRunDisplay display, Func<bool> shows) : IProgress<CorpusProgress>
    {
        void IProgress<CorpusProgress>.Report(CorpusProgress value)
        {
            if (value.Notice is { } notice)
                display.Notice(notice);
            else if (shows())
                display.Corpus(value);
        }
    }
}
