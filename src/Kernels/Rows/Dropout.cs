using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>
/// A probability of dropping, as the kernels use it: an element is dropped where its random 32-bit word is below the threshold.
/// p is rounded to the nearest multiple of 2^-32 that is not 0 and below 1; the scale is 1 / (1 - p) of the p that was asked for, in fp32.
/// </summary>
/// <param name="Threshold">p 2^32; 0 drops nothing.</param>
/// <param name="Scale">What kept elements are multiplied by.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct DropoutRate(uint Threshold, float Scale)
{
    /// <summary>Drops nothing.</summary>
    public static DropoutRate None => new(0, 1);

    /// <param name="probability">0 &lt;= p &lt; 1.</param>
    public static DropoutRate Of(double probability)
    {
        if (!(probability is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(probability), probability, "dropout needs 0 <= p < 1");
        if (probability == 0)
            return None;
        var words = Math.Floor(probability * 4_294_967_296 + 0.5);
        return new((uint)Math.Clamp(words, 1, uint.MaxValue), (float)(1 / (1 - probability)));
    }
}

/// <summary>
/// Dropout (Srivastava et al. 2014): y = keep ? x / (1 - p) : +0. Element i of a site is kept if word i of the sequence of the site's key
/// (<see cref="Philox"/>) is not below the threshold. The backward pass draws the same words again, so nothing is stored, and a range of a
/// site's elements gives the same bits as the whole.
/// </summary>
internal static unsafe class Dropout
{
    /// <summary>The key of one site: where in the network, of which micro-batch, of which step.</summary>
    public static ulong Key(ulong seed, int round, int replica, int step, int microBatch, int layer, int site)
        => KeyedRandom.Of(
            seed, (ulong)round, (ulong)replica, (ulong)step, (ulong)microBatch, (ulong)layer, (ulong)site).Key;

    /// <summary>
    /// y[i] = (residual[i] +) (keep ? x[i] · scale : +0). With dy in place of x it is the backward pass. y may be x or the residual.
    /// </summary>
    /// <param name="residual">Null for none.</param>
    /// <param name="first">Which element of its site x[0] is.</param>
    public static void Apply(float* y, float* x, float* residual, ulong key, long first, long count, DropoutRate rate)
        => LaneDispatch.Run(new Kernel(y, x, residual, key, first, count, rate));

    /// <summary>All ones where the word keeps its element, else zero.</summary>
    /// <param name="limit">From <see cref="Limit"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Keeps<T>(T words, T limit)
        where T : struct, ILanes<T>
        => T.GreaterInt(words ^ T.Bits(int.MinValue), limit);

    /// <summary>The threshold for <see cref="Keeps"/>, which compares signed integers; the threshold is not 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Limit<T>(uint threshold)
        where T : struct, ILanes<T>
        => T.Bits((int)(threshold - 1) ^ int.MinValue);

    [StructLayout(LayoutKind.Auto)]
    private readonly struct Kernel(float* y, float* x, float* residual, ulong key, long first, long count, DropoutRate rate) : ILaneKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            var end = first + count;
            var masks = stackalloc int[Philox.BlockWords];
            for (var block = first / Philox.BlockWords * Philox.BlockWords; block < end; block += Philox.BlockWords)
            {
                T a, b, c, d;
                if (rate.Threshold == 0)
                    a = b = c = d = T.Bits(-1);
                else
                {
                    Philox.Block(key, (ulong)block / Philox.BlockWords, out a, out b, out c, out d);
                    var limit = Limit<T>(rate.Threshold);
                    (a, b, c, d) = (Keeps(a, limit), Keeps(b, limit), Keeps(c, limit), Keeps(d, limit));
                }
                // Where in x the block begins: before x for the first one of a range that begins within a block.
                var at = block - first;
                if (at >= 0 && at + Philox.BlockWords <= count)
                {
                    Whole(a, at);
                    Whole(b, at + 16);
                    Whole(c, at + 32);
                    Whole(d, at + 48);
                    continue;
                }
                T.Store(a, (float*)masks);
                T.Store(b, (float*)(masks + 16));
                T.Store(c, (float*)(masks + 32));
                T.Store(d, (float*)(masks + 48));
                for (var i = Math.Max(at, 0); i < Math.Min(at + Philox.BlockWords, count); i++)
                    One(masks[i - at] != 0, i);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Whole<T>(T mask, long at)
            where T : struct, ILanes<T>
        {
            var kept = T.Load(x + at) * T.Broadcast(rate.Scale) & mask;
            T.Store(residual is null ? kept : T.Load(residual + at) + kept, y + at);
        }

        private void One(bool keep, long i)
        {
            var kept = keep ? x[i] * rate.Scale : 0;
            y[i] = residual is null ? kept : residual[i] + kept;
        }
    }
}
