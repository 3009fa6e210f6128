using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus;

/// <summary>Which block is read at which position of a run's endless stream of samples. Any position is found at once.</summary>
public abstract class SampleStream
{
    /// <summary>Samples of an epoch, at least 1.</summary>
    public abstract long Samples { get; }

    /// <summary>The block at <paramref name="position"/>, counted from the start of the run over all epochs.</summary>
    public abstract long BlockAt(long position);

    /// <summary>The stream of a run on a corpus.</summary>
    /// <inheritdoc cref="Of(TrainingSettings, BuiltCorpus, BlockMap)"/>
    public static SampleStream Of(TrainingSettings settings, BuiltCorpus corpus)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        return Of(settings, corpus, new BlockMap(corpus.TrainShards, SampleCut.Of(settings)));
    }

    /// <summary>The stream of a run.</summary>
    /// <param name="map">The training blocks of <paramref name="corpus"/>.</param>
    /// <exception cref="ElasticException"><c>corpus.mixture</c> and the corpus do not fit together.</exception>
    public static SampleStream Of(TrainingSettings settings, BuiltCorpus corpus, BlockMap map)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(map);
        var (of, seed) = (settings.Corpus, settings.Run.Seed);
        return of.ReadsInTurn ? WindowMixture.Of(seed, of, corpus.TrainShards, corpus.IsGrowing, map)
            : of.Order == CorpusOrder.Stream ? new WindowOrder(
                seed, [.. WindowOrder.Windows(of.StreamWindow, corpus).Select(shards => map.Cut.CountIn(shards))], corpus.IsGrowing)
            : of.Mixture.Count == 0 ? new SampleOrder(seed, map.Blocks)
            : MixtureOrder.Of(seed, of.Mixture, corpus.TrainShards, map.Cut);
    }
}
