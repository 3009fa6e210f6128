using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>A source of a mixture.</summary>
/// <param name="Name">As the corpus names it.</param>
/// <param name="FirstBlock">Its blocks follow each other from this one on.</param>
/// <param name="Blocks">How many it has.</param>
/// <param name="Samples">How many of its blocks an epoch reads, some more than once.</param>
public sealed record MixtureSource(string Name, long FirstBlock, long Blocks, long Samples);

/// <summary>
/// Mixes sources: in an epoch each is read as often as <c>corpus.mixture</c> says, and the sources' samples are shuffled together. Each
/// source is an endless stream of its own, in which no block comes again before all others have come, and an epoch takes the next samples
/// of it: at the end of every epoch, each block of a source has been read as often as any other one of it, or once more. Which ones come
/// first of a fraction follows from a hash that is keyed with the seed and the source's name. A position is found at once, in memory that
/// grows with the number of sources alone.
/// </summary>
/// <remarks>A run's fingerprint depends on the order: never change it.</remarks>
public sealed class MixtureOrder : SampleStream
{
    /// <summary>More sources are not told apart: each has open files while a corpus is built.</summary>
    public const int MostSources = 256;

    private readonly SampleOrder _mixed;
    private readonly SampleOrder[] _orders;

    // _ends[i] is the number of samples of sources 0..i in an epoch.
    private readonly long[] _ends;

    /// <param name="sources">At least one, and one that is read.</param>
    /// <param name="from">The sample that a mixture begins with to which a run was changed: it is shuffled anew there; 0 for the mixture
    /// that the run was started with.</param>
    /// <exception cref="OverflowException">An epoch has more samples than can be counted.</exception>
    public MixtureOrder(ulong seed, IReadOnlyList<MixtureSource> sources, long from = 0)
    {
        ArgumentNullException.ThrowIfNull(sources);
        Sources = sources;
        _orders = [.. sources.Select(s => new SampleOrder(SeedOf(seed, s.Name), s.Blocks))];
        _ends = new long[sources.Count];
        var samples = 0L;
        for (var i = 0; i < _ends.Length; i++)
            _ends[i] = samples = checked(samples + sources[i].Samples);
        _mixed = new SampleOrder(from == 0 ? seed : SeedOf(seed, $"from sample {from}"), samples);
    }

    /// <summary>In the order of their blocks.</summary>
    public IReadOnlyList<MixtureSource> Sources { get; }

    /// <inheritdoc/>
    public override long Samples => _mixed.Blocks;

    /// <summary>The mixture that a run's settings make of a corpus. A source that they do not name is read once in an epoch.</summary>
    /// <exception cref="ElasticException">
    /// Blocks of the corpus mix sources, or the settings name a source that it does not have.
    /// </exception>
    public static MixtureOrder Of(
        ulong seed, IReadOnlyList<string> mixture, IReadOnlyList<ShardInfo> shards, SampleCut cut, long from = 0)
    {
        ArgumentNullException.ThrowIfNull(mixture);
        ArgumentNullException.ThrowIfNull(shards);
        ArgumentNullException.ThrowIfNull(cut);
        var weights = new MixtureWeights(mixture);
        // A corpus is written source by source: grouping its shards would take more memory than all else here.
        var (sources, names, first) = (new List<MixtureSource>(), new List<string>(), 0L);
        for (var i = 0; i < shards.Count;)
        {
            var name = shards[i].Source ?? throw new ElasticException(MixtureWeights.OfSeveralSources);
            var blocks = 0L;
            for (; i < shards.Count && shards[i].Source == name; i++)
                blocks += cut.CountIn(shards[i]);
            if (names.Contains(name))
                throw new ElasticException($"the shards of the source {OneLine.Of(name, 100)} do not follow each other in the corpus's "
                    + "manifest: delete the corpus and build it again");
            names.Add(name);
            if (blocks > 0)
                sources.Add(new MixtureSource(name, first, blocks, SamplesOf(blocks, weights.EpochsOf(name))));
            first += blocks;
        }
        weights.CheckNames(names);
        MixtureWeights.CheckSamples(sources.Sum(s => s.Samples));
        return new MixtureOrder(seed, sources, from);
    }

    /// <inheritdoc/>
    public override long BlockAt(long position)
    {
        var (source, ofSource) = SampleAt(position);
        return BlockOf(source, ofSource);
    }

    /// <summary>Which source is read at a position, and the how manieth sample of it that is within this mixture, from 0.</summary>
    internal (int Source, long Index) SampleAt(long position)
    {
        var sample = _mixed.BlockAt(position);
        // The first source whose end is beyond the sample; sources that are left out repeat the end before them and are skipped.
        var (low, high) = (0, _ends.Length - 1);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_ends[middle] > sample)
                high = middle;
            else
                low = middle + 1;
        }
        return (low, checked(position / Samples * Sources[low].Samples + sample - (low == 0 ? 0 : _ends[low - 1])));
    }

    /// <summary>A block of a source: the one at this place of the source's endless stream.</summary>
    internal long BlockOf(int source, long index) => Sources[source].FirstBlock + _orders[source].BlockAt(index);

    /// <summary>True where an epoch reads this sample of a source, counted from 0 in the epoch, before the offset.</summary>
    internal bool IsBefore(long offset, long epoch, int source, long sample) =>
        _mixed.OffsetOf(epoch, sample + (source == 0 ? 0 : _ends[source - 1])) < offset;

    // At least one of a source that is read at all.
    private static long SamplesOf(long blocks, double epochs) =>
        epochs == 0 ? 0 : Math.Max(1, checked((long)Math.Round(blocks * epochs, MidpointRounding.ToEven)));

    private static ulong SeedOf(ulong seed, string source) => BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(
        Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"elastic mixture {seed} {source}"))));
}
