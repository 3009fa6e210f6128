using System.Runtime.CompilerServices;

namespace Elastic.Kernels.Attention;

/// <summary>The online softmax over a block of keys (Milakov and Gimelshein 2018, algorithm 3): keys as rows, queries as lanes.</summary>
internal static unsafe class OnlineSoftmax
{
    /// <summary>Smaller than any score: what hidden scores become, and what a query's maximum is before it has seen a key.</summary>
    public const float Least = float.MinValue;

    /// <summary>The largest score of each of sixteen queries; s (keys, 64).</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static T Largest<T>(float* s, int keys)
        where T : struct, ILanes<T>
    {
        T a = T.Broadcast(Least), b = a, c = a, d = a;
        var j = 0;
        for (; j + 4 <= keys; j += 4, s += 4 * Panel.Stride)
        {
            a = T.Max(T.Load(s), a);
            b = T.Max(T.Load(s + Panel.Stride), b);
            c = T.Max(T.Load(s + 2 * Panel.Stride), c);
            d = T.Max(T.Load(s + 3 * Panel.Stride), d);
        }
        for (; j < keys; j++, s += Panel.Stride)
            a = T.Max(T.Load(s), a);
        return T.Max(T.Max(a, b), T.Max(c, d));
    }

    /// <summary>Replaces scores of keys that are hidden from a query by <see cref="Least"/>.</summary>
    /// <param name="shift">The first query sees the keys up to this one, the next query one more ...</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void HideFuture<T>(float* s, int keys, int shift)
        where T : struct, ILanes<T>
    {
        var least = T.Broadcast(Least);
        for (var j = Math.Max(shift + 1, 0); j < keys; j++)
            T.Store(T.Select(T.First(j - shift), least, T.Load(s + j * Panel.Stride)), s + j * Panel.Stride);
    }

    /// <summary>Replaces scores of keys that lie before a query's window by <see cref="Least"/>.</summary>
    /// <param name="past">The keys up to this one lie before the first query's window, those up to the next before the next ...</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void HidePast<T>(float* s, int keys, int past)
        where T : struct, ILanes<T>
    {
        var least = T.Broadcast(Least);
        for (var j = 0; j < Math.Min(keys, past + 16); j++)
            T.Store(T.Select(T.First(j - past), T.Load(s + j * Panel.Stride), least), s + j * Panel.Stride);
    }

    /// <summary>Replaces scores of keys of other segments than the queries' by <see cref="Least"/>.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void HideOtherSegments<T>(float* s, int keys, T querySegments, int* keySegments)
        where T : struct, ILanes<T>
    {
        var least = T.Broadcast(Least);
        for (var j = 0; j < keys; j++, s += Panel.Stride)
            T.Store(T.Select(T.EqualBits(T.Bits(keySegments[j]), querySegments), T.Load(s), least), s);
    }

    /// <summary>s = exp(s scale - largest), and its sum over the keys: by 16 lanes over the keys, then the fold.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static T Exponentials<T>(float* s, int keys, float scale, T largest)
        where T : struct, ILanes<T>
    {
        var sums = stackalloc float[16 * 16];
        var scales = T.Broadcast(scale);
        for (var l = 0; l < 16; l++)
        {
            var sum = T.Bits(0);
            for (var j = l; j < keys; j += 16)
            {
                var weight = ElementaryLanes.ExpOrZero(T.Load(s + j * Panel.Stride) * scales - largest);
                T.Store(weight, s + j * Panel.Stride);
                sum += weight;
            }
            T.Store(sum, sums + l * 16);
        }
        for (var half = 8; half > 0; half /= 2)
        {
            for (var l = 0; l < half; l++)
                T.Store(T.Load(sums + l * 16) + T.Load(sums + (l + half) * 16), sums + l * 16);
        }
        return T.Load(sums);
    }
}

/// <summary>The softmax again from its saved maxima and sums, and its gradient: queries as rows, keys as lanes.</summary>
internal static unsafe class SoftmaxGradients
{
    /// <summary>
    /// One query: scores become weights p = exp(s scale - largest) inverse, and gradients of weights, dp, those of scores before the scale,
    /// p (dp - delta) scale.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Row<T>(float* s, float* dp, int keys, float scale, float largest, float inverse, float delta)
        where T : struct, ILanes<T>
    {
        T scales = T.Broadcast(scale), maxima = T.Broadcast(largest), inverses = T.Broadcast(inverse), deltas = T.Broadcast(delta);
        for (var lane = 0; lane < keys; lane += 16)
        {
            // Both are read before one is written: the panels lie at the same offset of their pages, which looks like a dependency.
            T score = T.Load(s + lane), gradient = T.Load(dp + lane);
            var weight = ElementaryLanes.ExpOrZero(score * scales - maxima) * inverses;
            T.Store(weight, s + lane);
            T.Store(weight * (gradient - deltas) * scales, dp + lane);
        }
    }

    /// <summary>One query with dropout: weights and their gradients are multiplied by the factors 0 or 1 / (1 - probability).</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Row<T>(float* s, float* dp, int keys, float scale, float largest, float inverse, float delta, float* factors)
        where T : struct, ILanes<T>
    {
        T scales = T.Broadcast(scale), maxima = T.Broadcast(largest), inverses = T.Broadcast(inverse), deltas = T.Broadcast(delta);
        for (var lane = 0; lane < keys; lane += 16)
        {
            T score = T.Load(s + lane), gradient = T.Load(dp + lane), factor = T.Load(factors + lane);
            var weight = ElementaryLanes.ExpOrZero(score * scales - maxima) * inverses;
            T.Store(weight * factor, s + lane);
            T.Store(weight * (gradient * factor - deltas) * scales, dp + lane);
        }
    }

    /// <summary>In a row of scores and of weights' gradients, hides keys behind the last that the query sees.</summary>
    /// <param name="seen">How many of the keys it sees.</param>
    public static void HideFuture<T>(float* s, float* dp, int keys, int seen)
        where T : struct, ILanes<T>
    {
        var least = T.Broadcast(OnlineSoftmax.Least);
        for (var lane = Math.Max(seen, 0) / 16 * 16; lane < keys; lane += 16)
        {
            var isSeen = T.First(seen - lane);
            T.Store(T.Select(isSeen, T.Load(s + lane), least), s + lane);
            T.Store(T.Load(dp + lane) & isSeen, dp + lane);
        }
    }

    /// <summary>In a row of scores and of weights' gradients, hides keys before the query's window.</summary>
    /// <param name="hidden">How many of the keys lie before it.</param>
    public static void HidePast<T>(float* s, float* dp, int keys, int hidden)
        where T : struct, ILanes<T>
    {
        T least = T.Broadcast(OnlineSoftmax.Least), zero = T.Broadcast(0);
        for (var lane = 0; lane < Math.Min(keys, hidden); lane += 16)
        {
            var isHidden = T.First(hidden - lane);
            T.Store(T.Select(isHidden, least, T.Load(s + lane)), s + lane);
            T.Store(T.Select(isHidden, zero, T.Load(dp + lane)), dp + lane);
        }
    }

    /// <summary>In a row of scores and of weights' gradients, hides keys of other segments than the query's.</summary>
    public static void HideOtherSegments<T>(float* s, float* dp, int keys, int querySegment, int* keySegments)
        where T : struct, ILanes<T>
    {
        var least = T.Broadcast(OnlineSoftmax.Least);
        for (var lane = 0; lane < keys; lane += 16)
        {
            var isSeen = T.EqualBits(T.LoadFirst((float*)keySegments + lane, Math.Min(16, keys - lane)), T.Bits(querySegment));
            T.Store(T.Select(isSeen, T.Load(s + lane), least), s + lane);
            T.Store(T.Load(dp + lane) & isSeen, dp + lane);
        }
    }
}
