using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus;

/// <summary>
/// Mixes sources window by window, so that a mixture is read before the length of the corpus is known: in an epoch each shard, which is of
/// one source, is read as often as <c>corpus.mixture</c> says of its source, and the samples of a window's shards are shuffled together.
/// What a fraction comes to is rounded over all shards of a source that came before, so that an epoch reads the source as often as said.
/// Each shard is an endless stream of its own, in which no block comes again before all others of the shard have come; each epoch takes the
/// next samples of it. A position is found by a search over the windows, and then over the shards of one.
/// </summary>
/// <remarks>A run's fingerprint depends on the order: never change it.</remarks>
public sealed class WindowMixture : SampleStream
{
    private readonly ulong _seed;
    private readonly BlockMap _map;
    private readonly int _shardsOfWindow;
    private readonly bool _isGrowing;

    // By shard: how many of its samples an epoch reads.
    private readonly int[] _samples;

    // _ends[i] is the number of samples of windows 0..i in an epoch.
    private readonly long[] _ends;

    private WindowMixture(ulong seed, BlockMap map, int[] samples, long[] ends, int shardsOfWindow, bool isGrowing) =>
        (_seed, _map, _samples, _ends, _shardsOfWindow, _isGrowing) = (seed, map, samples, ends, shardsOfWindow, isGrowing);

    /// <summary>Samples of an epoch; of a corpus that grows, those that are known, of which there may be none yet.</summary>
    public override long Samples => _ends is [.., var all] ? all : 0;

    /// <summary>The order that a run's settings make of a corpus, or of what is finished of it.</summary>
    /// <param name="shards">Shards that are trained on, in their order.</param>
    /// <param name="isGrowing">More shards follow, perhaps of sources that none has yet.</param>
    /// <param name="map">The blocks of the shards.</param>
    /// <exception cref="ElasticException">
    /// Shards mix sources, or, of a complete corpus, the settings name a source that it does not have.
    /// </exception>
    public static WindowMixture Of(
        ulong seed, CorpusSettings settings, IReadOnlyList<ShardInfo> shards, bool isGrowing, BlockMap map)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(shards);
        ArgumentNullException.ThrowIfNull(map);
        var samples = SamplesOf(settings.Mixture, shards, map.Cut, isGrowing);
        return new WindowMixture(seed, map, samples, EndsOf(samples, settings.StreamWindow, isGrowing), settings.StreamWindow, isGrowing);
    }

    /// <summary>Samples of each window that is finished, in their order.</summary>
    /// <inheritdoc cref="Of" path="/exception"/>
    internal static IEnumerable<long> WindowsOf(
        CorpusSettings settings, IReadOnlyList<ShardInfo> shards, bool isGrowing, SampleCut cut)
    {
        var before = 0L;
        foreach (var end in EndsOf(SamplesOf(settings.Mixture, shards, cut, isGrowing), settings.StreamWindow, isGrowing))
        {
            yield return end - before;
            before = end;
        }
    }

    /// <summary>The shards of the windows that are finished, but for those without a block: each is read on its own.</summary>
    /// <param name="shards">Shards of the corpus.</param>
    public IEnumerable<MixtureSource> Parts(IReadOnlyList<ShardInfo> shards)
    {
        ArgumentNullException.ThrowIfNull(shards);
        var finished = _isGrowing ? _ends.Length * _shardsOfWindow : shards.Count;
        for (var i = 0; i < finished; i++)
        {
            if (_map.BlocksOf(i) is var blocks and > 0)
                yield return new MixtureSource(shards[i].Source!, _map.FirstOf(i), blocks, _samples[i]);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The corpus grows, and the position is behind what is known of it.</exception>
    public override long BlockAt(long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        if (_isGrowing && position >= Samples)
            throw WindowOrder.NotKnown(position, Samples);
        var (epoch, offset) = Math.DivRem(position, Samples);
        var window = WindowOrder.Find(_ends, offset);
        var first = window == 0 ? 0 : _ends[window - 1];
        var samples = _ends[window] - first;
        var sample = new SampleOrder(SeedOf("window", window), samples).BlockAt(checked(epoch * samples + offset - first));
        // At most 256 shards.
        var shard = window * _shardsOfWindow;
        for (; sample >= _samples[shard]; shard++)
            sample -= _samples[shard];
        return _map.FirstOf(shard) + new SampleOrder(SeedOf("shard", shard), _map.BlocksOf(shard))
            .BlockAt(checked(epoch * _samples[shard] + sample));
    }

    // Of sources that came before, only how far they came: a shard's number does not depend on what comes behind it.
    private static int[] SamplesOf(IReadOnlyList<string> mixture, IReadOnlyList<ShardInfo> shards, SampleCut cut, bool isGrowing)
    {
        var (weights, sources, samples, all) = (
            new MixtureWeights(mixture), new Dictionary<string, SourceSoFar>(StringComparer.Ordinal), new int[shards.Count], 0L);
        for (var i = 0; i < samples.Length; i++)
        {
            var name = shards[i].Source ?? throw new ElasticException(MixtureWeights.OfSeveralSources);
            if (!sources.TryGetValue(name, out var source))
                sources[name] = source = new SourceSoFar(weights.EpochsOf(name));
            var more = source.Add(cut.CountIn(shards[i]));
            samples[i] = more <= int.MaxValue ? (int)more : throw new ElasticException(
                $"corpus.mixture reads {OneLine.Of(name, 100)} so often that {shards[i].FileName} has {more} samples an epoch, and "
                + $"{int.MaxValue} can be counted: use fewer times, and more epochs");
            all += more;
        }
        if (!isGrowing)
        {
            weights.CheckNames(sources.Keys);
            MixtureWeights.CheckSamples(all);
        }
        return samples;
    }

    private static long[] EndsOf(int[] samples, int shardsOfWindow, bool isGrowing)
    {
        var ends = new long[isGrowing ? samples.Length / shardsOfWindow : (samples.Length + shardsOfWindow - 1) / shardsOfWindow];
        var all = 0L;
        for (var i = 0; i < ends.Length; i++)
        {
            for (var shard = i * shardsOfWindow; shard < Math.Min(samples.Length, (i + 1) * shardsOfWindow); shard++)
                all = checked(all + samples[shard]);
            ends[i] = all;
        }
        return ends;
    }

    // Of its own for each window and each shard.
    private ulong SeedOf(string what, int number) => BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(
        Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"elastic window mixture {_seed} {what} {number}"))));

    private sealed class SourceSoFar(double epochs)
    {
        private long _blocks, _samples;

        // How many samples an epoch reads of so many more blocks.
        public long Add(int blocks)
        {
            var before = _samples;
            _blocks += blocks;
            _samples = checked((long)Math.Round(_blocks * epochs, MidpointRounding.ToEven));
            return _samples - before;
        }
    }
}
