using Elastic.Messages.Settings;

namespace Elastic.Corpus;

/// <summary>A window of a corpus that is read one window after the other.</summary>
/// <param name="Samples">What an epoch reads of it: its blocks, or as many as <c>corpus.mixture</c> makes of them.</param>
public sealed record StreamWindow(IReadOnlyList<ShardInfo> Shards, long Samples);

/// <summary>The windows of a corpus under a run's settings.</summary>
public static class StreamWindows
{
    /// <summary>All windows of a complete corpus, or those that are finished.</summary>
    /// <exception cref="Foundation.ElasticException"><c>corpus.mixture</c> and the corpus do not fit together.</exception>
    public static IReadOnlyList<StreamWindow> Of(TrainingSettings settings, BuiltCorpus corpus)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var (of, cut) = (settings.Corpus, SampleCut.Of(settings));
        var windows = WindowOrder.Windows(of.StreamWindow, corpus);
        return of.Mixture.Count == 0
            ? [.. windows.Select(shards => new StreamWindow(shards, cut.CountIn(shards)))]
            : [.. windows.Zip(WindowMixture.WindowsOf(of, corpus.TrainShards, corpus.IsGrowing, cut),
                (shards, samples) => new StreamWindow(shards, samples))];
    }
}
