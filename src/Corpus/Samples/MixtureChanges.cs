using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus;

/// <summary>
/// The samples of a run whose mixture was changed in mid-run. Each source is one endless stream for the whole run, in which no block comes
/// again before all others have come. A mixture reads of a source what those before it have left, in the order of that stream: what an
/// epoch that was cut short has not read comes first, and no place of a stream is read twice. Within each mixture a source is read exactly
/// as often as it says.
/// </summary>
/// <remarks>
/// A position is found at once: the permutations are run backwards to tell what was read before a change. Of an epoch that was cut short
/// the unread samples are counted once, <see cref="Together"/> at a time: some 100 ns for each sample of that epoch, and 8 bytes for
/// <see cref="Together"/> of them. A run's fingerprint depends on the order: never change it.
/// </remarks>
public sealed class MixtureChanges : SampleStream
{
    /// <summary>Samples whose unread ones are counted together: a look-up goes through so many at most.</summary>
    public const int Together = 256;

    private readonly SampleStream _first;
    private readonly MixtureOrder[] _orders;
    private readonly long[] _starts;

    // By mixture, the one that the run was started with among them; the last one has no end yet.
    private readonly Left[] _left;

    private MixtureChanges(SampleStream first, MixtureOrder[] orders, long[] starts)
    {
        (_first, _orders, _starts) = (first, orders, starts);
        _left = [.. Enumerable.Range(0, starts.Length).Select(i => i == 0
            ? Left.By(first, orders[0], starts[0])
            : Left.By(orders[i - 1], orders[i - 1], starts[i] - starts[i - 1]))];
    }

    /// <summary>Samples of an epoch of the mixture that the run was started with.</summary>
    public override long Samples => _first.Samples;

    /// <summary>The mixtures that the run was changed to, with the sample that each begins with.</summary>
    public IEnumerable<(long Sample, MixtureOrder Order)> Mixtures => _starts.Zip(_orders);

    /// <summary>The mixture, or the shuffled corpus, that the run was started with.</summary>
    public SampleStream First => _first;

    /// <summary>The stream of a run with the mixtures that it was changed to; <paramref name="first"/> where there are none.</summary>
    /// <param name="first">What the run was started with.</param>
    /// <exception cref="ElasticException">A mixture and the corpus do not fit together.</exception>
    public static SampleStream Of(
        ulong seed, SampleStream first, IReadOnlyList<MixtureStart> starts, IReadOnlyList<ShardInfo> shards, SampleCut cut)
    {
        ArgumentNullException.ThrowIfNull(starts);
        return starts.Count == 0 ? first : Of(
            first, [.. starts.Select(s => (s.Sample, MixtureOrder.Of(seed, s.Mixture, shards, cut, s.Sample)))]);
    }

    /// <param name="mixtures">Orders of mixtures of the same sources, each with its first sample, oldest first.</param>
    public static MixtureChanges Of(SampleStream first, IReadOnlyList<(long Sample, MixtureOrder Order)> mixtures) =>
        new(first, [.. mixtures.Select(m => m.Order)], [.. mixtures.Select(m => m.Sample)]);

    /// <inheritdoc/>
    public override long BlockAt(long position)
    {
        var mixture = MixtureAt(position);
        if (mixture < 0)
            return _first.BlockAt(position);
        var (source, place) = PlaceAt(position);
        return _orders[mixture].BlockOf(source, place);
    }

    /// <summary>
    /// Which source is read at a position, and which place of its stream; not where the run was started without a mixture, and none began
    /// before the position.
    /// </summary>
    public (int Source, long Place) PlaceAt(long position)
    {
        var mixture = MixtureAt(position);
        if (mixture < 0)
            return ((MixtureOrder)_first).SampleAt(position);
        var (source, place) = _orders[mixture].SampleAt(position - _starts[mixture]);
        for (var i = mixture; i >= 0; i--)
            place = _left[i].PlaceOf(source, place);
        return (source, place);
    }

    // -1 before the first change.
    private int MixtureAt(long position) => Array.FindLastIndex(_starts, start => start <= position);

    // What a mixture has left of its sources' streams when it ends. Places are counted in what the mixtures before it have left.
    private sealed class Left
    {
        private readonly long _epochs;
        private readonly Func<int, long, bool> _isRead;
        private readonly long[] _samples;
        private readonly Lazy<long[]>[]? _unread;

        private Left(long epochs, IReadOnlyList<long> samples, Func<int, long, bool>? isRead)
        {
            (_epochs, _samples) = (epochs, [.. samples]);
            _isRead = isRead ?? ((_, _) => false);
            _unread = isRead is null ? null : [.. samples.Select((n, source) => new Lazy<long[]>(() => Count(source, n)))];
        }

        public static Left By(SampleStream stream, MixtureOrder sources, long length)
        {
            var (epochs, offset) = Math.DivRem(length, stream.Samples);
            return stream is MixtureOrder mixture
                ? new Left(epochs, [.. mixture.Sources.Select(s => s.Samples)], offset == 0 ? null
                    : (source, sample) => mixture.IsBefore(offset, epochs, source, sample))
                // The corpus as it is, shuffled as a whole: in an epoch each source is read once.
                : new Left(epochs, [.. sources.Sources.Select(s => s.Blocks)], offset == 0 ? null
                    : (source, sample) => ((SampleOrder)stream).OffsetOf(
                        epochs, sources.BlockOf(source, epochs * sources.Sources[source].Blocks + sample)) < offset);
        }

        public long PlaceOf(int source, long index)
        {
            var before = checked(_epochs * _samples[source]);
            if (_unread is null)
                return checked(before + index);
            var unread = _unread[source].Value;
            var all = unread.Length == 0 ? 0 : unread[^1];
            if (index >= all)
                return checked(before + _samples[source] + index - all);
            // The first group that ends behind it.
            var group = Array.BinarySearch(unread, index + 1);
            if (group < 0)
                group = ~group;
            while (group > 0 && unread[group - 1] >= index + 1)
                group--;
            var (sample, rest) = ((long)group * Together, index - (group == 0 ? 0 : unread[group - 1]));
            for (; _isRead(source, sample) || rest-- > 0; sample++)
            {
            }

            return before + sample;
        }

        // How many samples are unread up to the end of each group.
        private long[] Count(int source, long samples)
        {
            var counts = new long[(samples + Together - 1) / Together];
            Parallel.For(0, counts.Length, group =>
            {
                var end = Math.Min(samples, (group + 1L) * Together);
                for (var sample = (long)group * Together; sample < end; sample++)
                    counts[group] += _isRead(source, sample) ? 0 : 1;
            });
            for (var i = 1; i < counts.Length; i++)
                counts[i] += counts[i - 1];
            return counts;
        }
    }
}
