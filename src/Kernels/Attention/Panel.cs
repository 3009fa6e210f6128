using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Elastic.Kernels.Attention;

/// <summary>
/// Squares of 64 x 64 floats, contiguous, that attention computes in: their strides are constants, and three of them fit the first-level
/// cache. The D channels of a head take ceil(D / 64) panels. What lies beyond the rows and channels that exist is arbitrary: no sum goes
/// there.
/// </summary>
internal static unsafe class Panel
{
    /// <summary>Rows, columns, and floats from one row to the next.</summary>
    public const int Rows = 64, Columns = 64, Stride = 64;

    /// <summary>Floats.</summary>
    public const int Size = Rows * Stride;

    /// <summary>Panels that D channels take.</summary>
    public static int CountOf(int channels) => (channels + Columns - 1) / Columns;

    /// <summary>Channels of a panel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int ColumnsOf(int panel, int channels) => Math.Min(Columns, channels - panel * Columns);

    /// <summary>(rows, channels) -> panels.</summary>
    public static void Load<T>(float* panels, float* source, long stride, int rows, int channels)
        where T : struct, ILanes<T>
    {
        for (var first = 0; first < channels; first += Columns, panels += Size, source += Columns)
        {
            var columns = Math.Min(Columns, channels - first);
            for (var r = 0; r < rows; r++)
            {
                float* from = source + r * stride, to = panels + r * Stride;
                var c = 0;
                for (; c + 16 <= columns; c += 16)
                    T.Store(T.Load(from + c), to + c);
                if (c < columns)
                    T.Store(T.LoadFirst(from + c, columns - c), to + c);
            }
        }
    }

    /// <summary>Panels -> (rows, channels), each row times its factor where there are factors. Zeros lose their sign.</summary>
    public static void Store<T>(float* panels, float* target, long stride, int rows, int channels, float* factors = null)
        where T : struct, ILanes<T>
    {
        var zero = T.Broadcast(0);
        for (var first = 0; first < channels; first += Columns, panels += Size, target += Columns)
        {
            var columns = Math.Min(Columns, channels - first);
            for (var r = 0; r < rows; r++)
            {
                float* from = panels + r * Stride, to = target + r * stride;
                var factor = T.Broadcast(factors is null ? 1 : factors[r]);
                var c = 0;
                for (; c + 16 <= columns; c += 16)
                    T.Store(T.Load(from + c) * factor + zero, to + c);
                if (c < columns)
                    T.StoreFirst(T.Load(from + c) * factor + zero, to + c, columns - c);
            }
        }
    }

    /// <summary>(rows, channels) -> (channels, 64): the transpose, channels contiguous over panels. Writes whole groups of four rows.</summary>
    public static void LoadTransposed<T>(float* transposed, float* source, long stride, int rows, int channels)
        where T : struct, ILanes<T>
    {
        var quads = stackalloc float[64];
        for (var r = 0; r < rows; r += 4)
        {
            // Rows that do not exist are the last one again.
            var row = source + r * stride;
            var (second, third, fourth) = (Math.Min(1, rows - 1 - r) * stride, Math.Min(2, rows - 1 - r) * stride,
                Math.Min(3, rows - 1 - r) * stride);
            for (var c = 0; c < channels; c += 16)
            {
                var count = Math.Min(16, channels - c);
                T w = Sixteen<T>(row + c, count), x = Sixteen<T>(row + second + c, count), y = Sixteen<T>(row + third + c, count),
                    z = Sixteen<T>(row + fourth + c, count);
                // Lane 4 g + j of vector i is now channel c + 4 g + i of row r + j.
                T.Transpose(ref w, ref x, ref y, ref z);
                T.Store(w, quads);
                T.Store(x, quads + 16);
                T.Store(y, quads + 32);
                T.Store(z, quads + 48);
                var to = transposed + c * Stride + r;
                for (var channel = 0; channel < count; channel++, to += Stride)
                    Vector128.Store(Vector128.Load(quads + channel % 4 * 16 + channel / 4 * 4), to);
            }
        }
    }

    /// <summary>Zeros in <paramref name="rows"/> rows of each of the panels.</summary>
    public static void Clear(float* panels, int rows, int channels)
    {
        for (var panel = 0; panel < CountOf(channels); panel++)
            new Span<float>(panels + panel * Size, rows * Stride).Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Sixteen<T>(float* p, int count)
        where T : struct, ILanes<T>
        => count == 16 ? T.Load(p) : T.LoadFirst(p, count);
}
