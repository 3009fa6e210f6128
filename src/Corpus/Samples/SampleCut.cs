using Elastic.Foundation;
using Elastic.Messages.Corpora;
using Elastic.Messages.Settings;

namespace Elastic.Corpus;

/// <summary>Where in a shard its samples lie. All have the same length, so that any of them can be read by itself.</summary>
/// <param name="Context">T: tokens the model sees at once in training.</param>
public sealed record SampleCut(SampleKind Kind, int Context)
{
    /// <summary>Pieces of one sample that are told apart by source: what a message of the control plane holds with their names.</summary>
    public const int MostPieces = 100;

    /// <inheritdoc cref="SampleCut"/>
    public static SampleCut Of(TrainingSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return new SampleCut(settings.Corpus.Samples, settings.SampleTokens);
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

    /// <summary>
    /// The sources and languages that a sample's <see cref="Length"/> elements count for; none where the shard does not say. A sample of
    /// more pieces than <see cref="MostPieces"/> ends with others.
    /// </summary>
    /// <exception cref="ElasticException">The file is damaged there.</exception>
    public IReadOnlyList<SourceRun> SourcesOf(TokenShard shard, int sample)
    {
        ArgumentNullException.ThrowIfNull(shard);
        if (shard.DocumentCount == 0)
            return [];
        if (Kind is SampleKind.Documents or SampleKind.Pairs)
        {
            var (of, its) = shard.SourceOf(sample);
            return [new SourceRun(SourceName.Of(of), Length, its)];
        }
        var (runs, start) = (new List<SourceRun>(), (long)sample * Context);
        foreach (var (source, language, elements) in shard.SourcesOf(start, Length))
        {
            var run = runs.Count < MostPieces
                ? new SourceRun(SourceName.Of(source), elements, language)
                : new SourceRun(SourceName.Others, elements);
            if (runs.Count > 0 && (runs[^1].Source, runs[^1].Language) == (run.Source, run.Language))
                runs[^1] = run with { Elements = runs[^1].Elements + elements };
            else
                runs.Add(run);
        }
        return runs;
    }

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
