using Elastic.Foundation;
using Elastic.Messages.Corpora;
using Elastic.Messages.Settings;

namespace Elastic.Corpus;

/// <summary>Where in a shard its samples lie. All have the same length, so that any of them can be read by itself.</summary>
/// <param name="Context">T: tokens the model sees at once.</param>
public sealed record SampleCut(SampleKind Kind, int Context)
{
    /// <inheritdoc cref="SampleCut"/>
    public static SampleCut Of(TrainingSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return new SampleCut(settings.Corpus.Samples, settings.Model.Context);
    }

    /// <summary>
    /// Elements of a sample, T + 1: each but the last is an input, each but the first a target. Of a pair the T of its source come before
    /// them.
    /// </summary>
    public int Length => LengthOf(Kind, Context);

    /// <inheritdoc cref="Length"/>
    public static int LengthOf(SampleKind kind, int context) => checked((kind == SampleKind.Pairs ? 2 * context : context) + 1);

    /// <summary>Samples of a shard.</summary>
    public int CountIn(ShardInfo shard)
    {
        ArgumentNullException.ThrowIfNull(shard);
        if (Kind != SampleKind.Blocks && !shard.ListsDocuments)
            return 0;
        return Kind is SampleKind.Documents or SampleKind.Pairs ? checked((int)shard.Documents) : BlockMap.CountIn(shard.Tokens, Context);
    }

    /// <summary>Samples of several shards.</summary>
    public long CountIn(IEnumerable<ShardInfo> shards) => shards.Sum(s => (long)CountIn(s));

    /// <summary>Reads one sample.</summary>
    /// <param name="into">Takes <see cref="Length"/> elements, see <see cref="SampleElement"/>.</param>
    /// <exception cref="ElasticException">The file is damaged there, or does not say where its documents begin.</exception>
    public void Read(TokenShard shard, int sample, Span<int> into)
    {
        ArgumentNullException.ThrowIfNull(shard);
        switch (Kind)
        {
            case SampleKind.Documents:
                shard.ReadDocument(sample, into);
                break;
            case SampleKind.Pairs:
                shard.ReadPair(sample, Context, into);
                break;
            case SampleKind.Packed:
                shard.ReadBlock(sample, Context, into);
                shard.MarkDocuments((long)sample * Context, into);
                break;
            default:
                shard.ReadBlock(sample, Context, into);
                break;
        }
    }
}
