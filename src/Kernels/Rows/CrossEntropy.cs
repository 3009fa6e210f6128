using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>
/// Softmax cross-entropy with label smoothing ε (Szegedy et al. 2016, 7) of rows of V logits z:
///   loss = log Σ exp(z) - (1 - ε) z[target] - ε/V Σ z, in nats;  gradient = softmax(z) - (1 - ε) 1[target] - ε/V.
///
/// The vocabulary lies in parts of a given length, so that several devices can share it later: the maximum of all parts first, then each
/// part's sums, folded along <see cref="SumTree"/> in double precision, then each part's gradient. A part's sum goes in blocks of 1,024
/// elements from its start: 16 fp32 lanes add a block (fold 16 -> 8 -> 4 -> 2 -> 1), blocks' sums are added in double precision in order.
/// The passes are separate, because the maximum and the sums may come from where the logits are made.
/// </summary>
internal static unsafe class CrossEntropy
{
    /// <summary>Elements that are summed in fp32.</summary>
    public const int Block = 1024;

    /// <summary>How many parts a vocabulary may have.</summary>
    public const int MaxParts = 256;

    /// <summary>The largest of count logits, at least one.</summary>
    public static float Largest(float* z, int count)
    {
        float result;
        LaneDispatch.Run(new LargestKernel(z, count, &result));
        return result;
    }

    /// <summary>Σ exp(z - largest) and Σ z of a part. exp(x) is <see cref="ElementaryLanes.ExpOrZero"/>.</summary>
    /// <param name="keep">Leaves the logits as they are; otherwise they become their exponentials.</param>
    /// <param name="hasSmoothing">Whether the second sum is wanted; it is 0 otherwise.</param>
    public static (double Exponentials, double Logits) Sums(float* z, int count, float largest, bool keep, bool hasSmoothing)
    {
        (double, double) result;
        LaneDispatch.Run(new SumsKernel(z, count, largest, keep, hasSmoothing, &result));
        return result;
    }

    /// <summary>z[i] = z[i] · factor - shift, which makes exponentials the gradient but for the target's own term.</summary>
    public static void Gradient(float* z, int count, float factor, float shift)
        => LaneDispatch.Run(new GradientKernel(z, count, factor, shift));

    /// <summary>The loss of a row from its sums; the logarithm is our own.</summary>
    public static double Loss(float largest, double exponentials, double logits, float ofTarget, int vocabulary, double smoothing)
        => largest + Elementary.Log(exponentials) - (1 - smoothing) * ofTarget - smoothing / vocabulary * logits;

    /// <summary>
    /// Rows of logits become scale · weight times their gradients, in place; columns [V, padded) become +0. losses[r] = weight · loss,
    /// not scaled. A row of weight 0 is skipped: gradient +0, loss 0.
    /// </summary>
    /// <param name="z">(rows, padded) at distances of <paramref name="stride"/>.</param>
    /// <param name="partLength">The vocabulary's parts are [k partLength, (k + 1) partLength); the last may be shorter.</param>
    /// <param name="targets">(rows)</param>
    /// <param name="weights">(rows), or null for ones.</param>
    public static void Rows(
        float* z, long stride, int rows, int vocabulary, int padded, int partLength, int* targets, float* weights, double smoothing,
        double scale, double* losses)
    {
        for (var row = 0; row < rows; row++, z += stride)
        {
            var weight = weights is null ? 1f : weights[row];
            if (weight == 0)
            {
                losses[row] = 0;
                Ranges.Clear(z, padded);
                continue;
            }
            var ofTarget = z[targets[row]];
            var (largest, exponentials, logits) = Reduce(z, vocabulary, partLength, false, smoothing > 0);
            losses[row] = weight * Loss(largest, exponentials, logits, ofTarget, vocabulary, smoothing);
            var factor = scale * weight;
            Gradient(z, vocabulary, (float)(factor / exponentials), (float)(factor * smoothing / vocabulary));
            z[targets[row]] -= (float)(factor * (1 - smoothing));
            Ranges.Clear(z + vocabulary, padded - vocabulary);
        }
    }

    /// <summary>The losses of <see cref="Rows"/>, bit for bit, without gradients: the logits stay as they are.</summary>
    public static void Losses(
        float* z, long stride, int rows, int vocabulary, int partLength, int* targets, float* weights, double smoothing, double* losses)
    {
        for (var row = 0; row < rows; row++, z += stride)
        {
            var weight = weights is null ? 1f : weights[row];
            losses[row] = 0;
            if (weight == 0)
                continue;
            var (largest, exponentials, logits) = Reduce(z, vocabulary, partLength, true, smoothing > 0);
            losses[row] = weight * Loss(largest, exponentials, logits, z[targets[row]], vocabulary, smoothing);
        }
    }

    private static (float Largest, double Exponentials, double Logits) Reduce(
        float* z, int vocabulary, int partLength, bool keep, bool hasSmoothing)
    {
        var parts = (vocabulary + partLength - 1) / partLength;
        if (parts > MaxParts)
            throw new ArgumentOutOfRangeException(nameof(partLength), partLength, $"{vocabulary} logits make more than {MaxParts} parts");
        Span<double> exponentials = stackalloc double[parts], logits = stackalloc double[parts];
        var largest = Largest(z, vocabulary);
        for (var part = 0; part < parts; part++)
        {
            var first = part * partLength;
            (exponentials[part], logits[part]) = Sums(
                z + first, Math.Min(partLength, vocabulary - first), largest, keep, hasSmoothing);
        }
        return (largest, TreeSums.Fold(exponentials), TreeSums.Fold(logits));
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct LargestKernel(float* z, int count, float* result) : ILaneKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            var from = z;
            T a = T.Broadcast(from[0]), b = a, c = a, d = a;
            var i = 0;
            for (; i + 64 <= count; i += 64)
            {
                a = T.Max(a, T.Load(from + i));
                b = T.Max(b, T.Load(from + i + 16));
                c = T.Max(c, T.Load(from + i + 32));
                d = T.Max(d, T.Load(from + i + 48));
            }
            for (; i + 16 <= count; i += 16)
                a = T.Max(a, T.Load(from + i));
            if (i < count)
                b = T.Max(b, T.Select(T.First(count - i), T.LoadFirst(from + i, count - i), b));
            *result = T.FoldMax(T.Max(T.Max(a, b), T.Max(c, d)));
        }
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct SumsKernel(
        float* z, int count, float largest, bool keep, bool hasSmoothing, (double, double)* result) : ILaneKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            var (exponentials, logits, shift) = (0.0, 0.0, T.Broadcast(largest));
            for (var first = 0; first < count; first += Block)
            {
                var end = Math.Min(count, first + Block);
                T ofExponentials = T.Bits(0), ofLogits = ofExponentials;
                var (at, i) = ((nint)(z + first), first);
                for (; i + 16 <= end; i += 16, at += 16 * sizeof(float))
                {
                    var x = T.Load((float*)at);
                    var e = ElementaryLanes.ExpOrZero(x - shift);
                    ofExponentials += e;
                    if (hasSmoothing)
                        ofLogits += x;
                    if (!keep)
                        T.Store(e, (float*)at);
                }
                if (i < end)
                {
                    var x = T.LoadFirst((float*)at, end - i);
                    var e = ElementaryLanes.ExpOrZero(x - shift) & T.First(end - i);
                    ofExponentials += e;
                    ofLogits += x;
                    if (!keep)
                        T.StoreFirst(e, (float*)at, end - i);
                }
                exponentials += T.Fold(ofExponentials);
                logits += hasSmoothing ? T.Fold(ofLogits) : 0;
            }
            *result = (exponentials, logits);
        }
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct GradientKernel(float* z, int count, float factor, float shift) : ILaneKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            var at = z;
            T f = T.Broadcast(factor), s = T.Broadcast(shift);
            var i = 0;
            for (; i + 16 <= count; i += 16)
                T.Store(T.Load(at + i) * f - s, at + i);
            if (i < count)
                T.StoreFirst(T.LoadFirst(at + i, count - i) * f - s, at + i, count - i);
        }
    }
}
