using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Elastic.Kernels;

/// <summary>
/// Copies part of a matrix into the order in which the kernel reads it: strips of so many lines, and in each strip, for every step of
/// depth, the lines' elements side by side. "Lines" are rows of A or columns of B.
/// </summary>
internal static unsafe class Packing
{
    /// <summary>
    /// Packs <paramref name="lines"/> lines of <paramref name="depth"/> elements. The last strip is filled up with zeros.
    /// </summary>
    /// <param name="lineStride">Elements from line to line; this or <paramref name="depthStride"/> is 1.</param>
    /// <param name="width">Lines of a strip, a multiple of 8.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(float* source, int lines, int depth, long lineStride, long depthStride, int width, float* into)
    {
        if (lineStride == 1)
        {
            Side(source, lines, depth, depthStride, width, into);
            return;
        }
        for (var line = 0; line < lines; line += width, into += (long)width * depth)
        {
            for (var eight = 0; eight < width; eight += 8)
                Along(source + (line + eight) * lineStride, Math.Clamp(lines - line - eight, 0, 8), depth, lineStride, width, into + eight);
        }
    }

    // Lines lie side by side already: row by row of the source, so that memory is read in order.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Side(float* source, int lines, int depth, long depthStride, int width, float* into)
    {
        var whole = lines / width * width;
        for (var k = 0; k < depth; k++)
        {
            var (from, to) = ((nint)(source + k * depthStride), (nint)(into + (long)k * width));
            for (var line = 0; line < whole; line += width, to += (nint)width * depth * sizeof(float))
            {
                for (var x = 0; x < width; x += 8)
                    Vector256.Store(Vector256.Load((float*)from + line + x), (float*)to + x);
            }
            if (whole < lines)
            {
                for (var x = 0; x < width; x++)
                    ((float*)to)[x] = whole + x < lines ? ((float*)from)[whole + x] : 0;
            }
        }
    }

    // Lines lie along the depth: eight of them are transposed at a time.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Along(float* source, int lines, int depth, long stride, int width, float* into)
    {
        var k = 0;
        for (; lines == 8 && k + 8 <= depth; k += 8)
            Transpose(source + k, stride, into + (long)k * width, width);
        for (; k < depth; k++)
        {
            for (var x = 0; x < 8; x++)
                into[(long)k * width + x] = x < lines ? source[x * stride + k] : 0;
        }
    }

    // 8 x 8: pairs, then fours, then halves change places.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose(float* source, long stride, float* into, int width)
    {
        Vector256<float> a = Vector256.Load(source), b = Vector256.Load(source + stride),
            c = Vector256.Load(source + 2 * stride), d = Vector256.Load(source + 3 * stride),
            e = Vector256.Load(source + 4 * stride), f = Vector256.Load(source + 5 * stride),
            g = Vector256.Load(source + 6 * stride), h = Vector256.Load(source + 7 * stride);
        Vector256<float> ab0 = Avx.UnpackLow(a, b), ab1 = Avx.UnpackHigh(a, b), cd0 = Avx.UnpackLow(c, d), cd1 = Avx.UnpackHigh(c, d),
            ef0 = Avx.UnpackLow(e, f), ef1 = Avx.UnpackHigh(e, f), gh0 = Avx.UnpackLow(g, h), gh1 = Avx.UnpackHigh(g, h);
        const byte low = 0x44, high = 0xee;
        Vector256<float> p0 = Avx.Shuffle(ab0, cd0, low), p1 = Avx.Shuffle(ab0, cd0, high),
            p2 = Avx.Shuffle(ab1, cd1, low), p3 = Avx.Shuffle(ab1, cd1, high),
            q0 = Avx.Shuffle(ef0, gh0, low), q1 = Avx.Shuffle(ef0, gh0, high),
            q2 = Avx.Shuffle(ef1, gh1, low), q3 = Avx.Shuffle(ef1, gh1, high);
        Vector256.Store(Avx.Permute2x128(p0, q0, 0x20), into);
        Vector256.Store(Avx.Permute2x128(p1, q1, 0x20), into + width);
        Vector256.Store(Avx.Permute2x128(p2, q2, 0x20), into + 2 * width);
        Vector256.Store(Avx.Permute2x128(p3, q3, 0x20), into + 3 * width);
        Vector256.Store(Avx.Permute2x128(p0, q0, 0x31), into + 4 * width);
        Vector256.Store(Avx.Permute2x128(p1, q1, 0x31), into + 5 * width);
        Vector256.Store(Avx.Permute2x128(p2, q2, 0x31), into + 6 * width);
        Vector256.Store(Avx.Permute2x128(p3, q3, 0x31), into + 7 * width);
    }
}
