namespace Elastic.Corpus;

/// <summary>
/// Which block is read at which position of the run's endless sample stream. Position p of epoch e is block π(seed, e, p), where π is
/// a keyed permutation computed on demand: no list is stored, and any position can be resumed at once.
/// </summary>
/// <remarks>
/// A balanced Feistel network permutes the numbers of an even count of bits; results outside the range are fed back until one
/// falls inside ("cycle walking": Black and Rogaway 2002, "Ciphers with Arbitrary Finite Domains", section 3). The range is at least a
/// quarter of the network's domain, so four walks are expected at most. A run's fingerprint depends on the order: never change it.
/// </remarks>
public sealed class SampleOrder : SampleStream
{
    // Luby and Rackoff 1988 need four rounds of a random function for a strong permutation; this one is a mixer on few bits, so twice that.
    private const int Rounds = 8;

    private readonly ulong _seed;
    private readonly int _halfBits;
    private readonly ulong _halfMask;

    /// <param name="seed">The run's seed.</param>
    /// <param name="blocks">Blocks of one epoch, at least 1.</param>
    public SampleOrder(ulong seed, long blocks)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blocks, 1);
        _seed = seed;
        Blocks = blocks;
        var bits = 64 - System.Numerics.BitOperations.LeadingZeroCount((ulong)(blocks - 1));
        _halfBits = Math.Max(1, (bits + 1) / 2);
        _halfMask = (1UL << _halfBits) - 1;
    }

    /// <summary>Blocks of one epoch.</summary>
    public long Blocks { get; }

    /// <inheritdoc/>
    public override long Samples => Blocks;

    /// <inheritdoc/>
    public override long BlockAt(long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        var (epoch, offset) = Math.DivRem(position, Blocks);
        Span<ulong> keys = stackalloc ulong[Rounds];
        ExpandKeys((ulong)epoch, keys);
        var x = (ulong)offset;
        do
            x = Permute(x, keys);
        while (x >= (ulong)Blocks);
        return (long)x;
    }

    /// <summary>Where in an epoch a block is read, from 0: the inverse of <see cref="BlockAt"/>.</summary>
    public long OffsetOf(long epoch, long block)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(block);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(block, Blocks);
        Span<ulong> keys = stackalloc ulong[Rounds];
        ExpandKeys((ulong)epoch, keys);
        var x = (ulong)block;
        do
            x = Unpermute(x, keys);
        while (x >= (ulong)Blocks);
        return (long)x;
    }

    private ulong Unpermute(ulong x, ReadOnlySpan<ulong> keys)
    {
        var (left, right) = (x >> _halfBits, x & _halfMask);
        for (var i = keys.Length - 1; i >= 0; i--)
            (left, right) = (right ^ (Mix(left ^ keys[i]) & _halfMask), left);
        return (left << _halfBits) | right;
    }

    private ulong Permute(ulong x, ReadOnlySpan<ulong> keys)
    {
        var (left, right) = (x >> _halfBits, x & _halfMask);
        foreach (var key in keys)
            (left, right) = (right, left ^ (Mix(right ^ key) & _halfMask));
        return (left << _halfBits) | right;
    }

    private void ExpandKeys(ulong epoch, Span<ulong> keys)
    {
        // Mixes seed and epoch one after the other, so that (seed, epoch) and (seed + 1, epoch - 1) share nothing.
        var state = Mix(Mix(_seed) ^ epoch);
        for (var i = 0; i < keys.Length; i++)
            keys[i] = Mix(state + (ulong)(i + 1) * 0x9E3779B97F4A7C15);
    }

    // The finalizer of SplitMix64 (Steele, Lea and Flood 2014, figure 16), started off zero.
    private static ulong Mix(ulong z)
    {
        z += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
