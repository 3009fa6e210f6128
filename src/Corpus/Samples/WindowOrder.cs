using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Elastic.Corpus;

/// <summary>
/// Windows of shards one after the other, the samples of each shuffled among themselves: a window is read before the length of the corpus
/// is known. Each epoch reads the windows in the same order, and each of them by another permutation. A position is found by a search over
/// the windows, in memory that grows with their number alone.
/// </summary>
/// <remarks>A run's fingerprint depends on the order: never change it.</remarks>
public sealed class WindowOrder : SampleStream
{
    // null for a window whose shards are too short for a sample.
    private readonly SampleOrder?[] _orders;

    // _ends[i] is the number of samples of windows 0..i.
    private readonly long[] _ends;
    private readonly bool _isGrowing;

    /// <param name="seed">The run's.</param>
    /// <param name="windows">Samples of each, in their order; there is one in all of them together.</param>
    /// <param name="isGrowing">More windows may follow: where an epoch ends is not known yet.</param>
    public WindowOrder(ulong seed, IReadOnlyList<long> windows, bool isGrowing)
    {
        ArgumentNullException.ThrowIfNull(windows);
        _isGrowing = isGrowing;
        _orders = [.. windows.Select((samples, window) => samples > 0 ? new SampleOrder(SeedOf(seed, window), samples) : null)];
        _ends = new long[windows.Count];
        var all = 0L;
        for (var i = 0; i < _ends.Length; i++)
            _ends[i] = all = checked(all + windows[i]);
        ArgumentOutOfRangeException.ThrowIfLessThan(all, 1, nameof(windows));
    }

    /// <summary>Samples of an epoch; of a corpus that grows, those that are known.</summary>
    public override long Samples => _ends[^1];

    /// <summary>
    /// The windows of a corpus, in their order: so many shards are one. The last one has those that are left, when all are known.
    /// </summary>
    /// <param name="shardsOfWindow"><c>corpus.stream-window</c>.</param>
    public static IEnumerable<ShardInfo[]> Windows(int shardsOfWindow, BuiltCorpus corpus)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        return corpus.TrainShards.Chunk(shardsOfWindow).Where(window => window.Length == shardsOfWindow || !corpus.IsGrowing);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The corpus grows, and the position is behind what is known of it.</exception>
    public override long BlockAt(long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        var (epoch, offset) = Math.DivRem(position, Samples);
        if (_isGrowing && epoch > 0)
            throw NotKnown(position, Samples);
        var window = Find(_ends, offset);
        var (first, order) = (window == 0 ? 0 : _ends[window - 1], _orders[window]!);
        return first + order.BlockAt(checked(epoch * order.Blocks + offset - first));
    }

    /// <summary>
    /// The first window whose end is beyond the offset; windows without a sample repeat the end before them and are skipped.
    /// </summary>
    internal static int Find(long[] ends, long offset)
    {
        var (low, high) = (0, ends.Length - 1);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (ends[middle] > offset)
                high = middle;
            else
                low = middle + 1;
        }
        return low;
    }

    internal static InvalidOperationException NotKnown(long position, long samples) => new(
        $"sample {position} is asked for, and the shards that this node knows of the corpus that is being built have {samples}");

    // Of its own for each window: windows of the same length have other permutations.
    private static ulong SeedOf(ulong seed, int window) => BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(
        Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"elastic window {seed} {window}"))));
}
