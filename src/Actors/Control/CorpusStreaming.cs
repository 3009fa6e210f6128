using Elastic.Actors.Corpora;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Control;

/// <summary>
/// How a run with <c>corpus.order</c> = stream gets its corpus: the build begins, the run is started as soon as it can be, and its
/// supervisor is told of each window.
/// </summary>
public static class CorpusStreaming
{
    /// <summary>Begins to build the corpus, or finds it built before.</summary>
    /// <exception cref="ElasticException">The sources cannot be read.</exception>
    public static Task<GrowingCorpus> StreamCorpusAsync(
        this ElasticNode node, CorpusSettings corpus, IProgress<CorpusProgress>? progress, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(node);
        return node.Streams.BeginAsync(corpus, progress, cancel);
    }

    /// <summary>
    /// What a run can be started on: the first window, or all of the corpus, where the number of rounds follows from its length.
    /// </summary>
    /// <exception cref="ElasticException">The build has failed.</exception>
    public static Task<BuiltCorpus> BeginningAsync(this GrowingCorpus corpus, TrainingSettings settings, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(settings);
        return settings.Run.Epochs is null
            ? corpus.OfShardsAsync(settings.Corpus.StreamWindow, cancel) : corpus.Whole.WaitAsync(cancel);
    }

    /// <summary>Tells the run's supervisor what is finished of the corpus, until that is all of it, or this process ends.</summary>
    /// <returns>Why the run does not take it; null where it has taken all.</returns>
    public static async Task<string?> FeedAsync(this ElasticNode node, TrainingSettings settings, GrowingCorpus corpus, string who)
    {
        ArgumentNullException.ThrowIfNull(node);
        try
        {
            var ended = node.Streams.Ended;
            return await new CorpusFeed(settings, corpus, who, request => node.AskAsync<RunReply>(request, cancel: ended)).RunAsync(ended);
        }
        catch (OperationCanceledException)
        {
            return null;                                               // whoever starts the run again feeds it anew
        }
    }
}
