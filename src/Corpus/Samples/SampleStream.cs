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
    /// <inheritdoc cref="Of(TrainingSettings, IReadOnlyList{ShardInfo}, BlockMap)"/>
    public static SampleStream Of(TrainingSettings settings, BuiltCorpus corpus)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        return Of(settings, corpus.TrainShards, new BlockMap(corpus.TrainShards, SampleCut.Of(settings)));
    }

    /// <summary>The stream of a run.</summary>
    /// <param name="map">The blocks of <paramref name="shards"/>.</param>
    /// <param name="shards">The shards that are trained on.</param>
    /// <exception cref="ElasticException"><c>corpus.mixture</c> and the corpus do not fit together.</exception>
    public static SampleStream Of(TrainingSettings settings, IReadOnlyList<ShardInfo> shards, BlockMap map)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(map);
        return settings.Corpus.Mixture.Count == 0
            ? new SampleOrder(settings.Run.Seed, map.Blocks)
            : MixtureOrder.Of(settings.Run.Seed, settings.Corpus.Mixture, shards, map.Cut);
    }
}
