using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Elastic.Kernels;

/// <summary>
/// Copies operands into the order in which a micro-kernel reads them: for each k, the elements of so many lines side by side. "Lines" are
/// rows of A or columns of B.
/// </summary>
internal static unsafe class PanelPacking
{
    // Floats of a cache line. Rows that are fetched ahead: a row of a strip is too short for the processor to see a pattern, and without it
    // packing A took 12 % of a weight's gradient.
    private const int CacheLine = 16, RowsAhead = 12;

    /// <summary>One panel of lines that lie side by side already; missing ones become zeros.</summary>
    /// <param name="depthStride">Elements from k to k + 1.</param>
    /// <param name="lines">Lines there are, at most <paramref name="width"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Side(float* source, nint depthStride, int lines, int depth, int width, float* into)
    {
        var end = (nint)(into + (nint)depth * width);
        if (lines == width && width % Vector512<float>.Count == 0 && Vector512.IsHardwareAccelerated)
        {
            for (var to = (nint)into; to < end; to += width * sizeof(float), source += depthStride)
            {
                for (var x = 0; x < width; x += Vector512<float>.Count)
                    Vector512.Store(Vector512.Load(source + x), (float*)to + x);
            }
        }
        else if (lines == width && width % Vector256<float>.Count == 0 && Vector256.IsHardwareAccelerated)
        {
            for (var to = (nint)into; to < end; to += width * sizeof(float), source += depthStride)
            {
                for (var x = 0; x < width; x += Vector256<float>.Count)
                    Vector256.Store(Vector256.Load(source + x), (float*)to + x);
            }
        }
        else
        {
            for (var to = (nint)into; to < end; to += width * sizeof(float), source += depthStride)
            {
                for (var x = 0; x < width; x++)
                    ((float*)to)[x] = x < lines ? source[x] : 0;
            }
        }
    }

    /// <summary>
    /// Strips of <paramref name="width"/> lines that lie side by side, each strip after the other. Nothing is written for lines that the
    /// last strip lacks: nobody reads them.
    /// </summary>
    /// <param name="stripStride">Elements from strip to strip of <paramref name="into"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Strips(float* source, nint depthStride, int lines, int depth, int width, float* into, nint stripStride)
    {
        var whole = lines / width * width;
        for (var k = 0; k < depth; k++, source += depthStride, into += width)
        {
            var to = (nint)into;
            if (Sse.IsSupported)
            {
                for (var line = 0; line < lines; line += CacheLine)
                    Sse.Prefetch0(source + RowsAhead * depthStride + line);
            }
            if (width == Vector256<float>.Count && Vector256.IsHardwareAccelerated)
            {
                for (var line = 0; line < whole; line += Vector256<float>.Count, to += stripStride * sizeof(float))
                    Vector256.Store(Vector256.Load(source + line), (float*)to);
            }
            else
            {
                for (var line = 0; line < whole; line += width, to += stripStride * sizeof(float))
                {
                    // Fours and a pair: 8, 6 or 4.
                    var x = 0;
                    for (; x + 4 <= width; x += 4)
                        Vector128.Store(Vector128.Load(source + line + x), (float*)to + x);
                    for (; x < width; x += 2)
                        *(long*)((float*)to + x) = *(long*)(source + line + x);
                }
            }
            for (var x = 0; x < lines - whole; x++)
                ((float*)to)[x] = source[whole + x];
        }
    }

    /// <summary>One panel of lines that each lie along k, one element after another, from k = <paramref name="from"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose(float* source, nint lineStride, int lines, int depth, int width, int from, float* into)
    {
        for (var k = from; k < depth; k++)
        {
            for (var x = 0; x < width; x++)
                into[(nint)k * width + x] = x < lines ? source[x * lineStride + k] : 0;
        }
    }
}
