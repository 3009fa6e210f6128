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

    /// <summary>(rows, channels) -> (channels, 64): the transpose, contiguous over panels. Writes whole groups of four rows.</summary>
    public static void LoadTransposed<T>(float* transposed, float* source, long stride, int rows, int channels)
    {
        // Squares of the registers' width, then what is left below and beside them.
        var side = typeof(T) == typeof(Lanes512) ? 16 : typeof(T) == typeof(Lanes256) ? 8 : 4;
        int wholeRows = side == 4 ? 0 : rows / side * side, wholeChannels = channels / side * side;
        if (wholeRows > 0)
        {
            Squares<T>(transposed, source, stride, wholeRows, wholeChannels);
            Fours(transposed + wholeChannels * Stride, source + wholeChannels, stride, wholeRows, channels - wholeChannels);
        }
        Fours(transposed + wholeRows, source + wholeRows * stride, stride, rows - wholeRows, channels);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Squares<T>(float* transposed, float* source, long stride, int rows, int channels)
    {
        var side = typeof(T) == typeof(Lanes512) ? 16 : 8;
        for (var r = 0; r < rows; r += side)
        {
            for (var c = 0; c < channels; c += side)
            {
                if (typeof(T) == typeof(Lanes512))
                    Transposition.Transpose16(source + r * stride + c, (nint)stride, transposed + c * Stride + r, Stride);
                else
                    Transposition.Transpose8(source + r * stride + c, (nint)stride, transposed + c * Stride + r, Stride);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Fours(float* transposed, float* source, long stride, int rows, int channels)
    {
        for (var r = 0; r < rows; r += 4)
        {
            // Rows that do not exist are the last one again.
            var row = source + r * stride;
            float* second = row + Math.Min(1, rows - 1 - r) * stride, third = row + Math.Min(2, rows - 1 - r) * stride,
                fourth = row + Math.Min(3, rows - 1 - r) * stride;
            var to = transposed + r;
            var c = 0;
            for (; c + 16 <= channels; c += 16, to += 16 * Stride)
            {
                Lanes128 w = Lanes128.Load(row + c), x = Lanes128.Load(second + c), y = Lanes128.Load(third + c),
                    z = Lanes128.Load(fourth + c);
                // Now lanes 4 g to 4 g + 3 of vector i are channel c + 4 g + i of the four rows.
                Lanes128.Transpose(ref w, ref x, ref y, ref z);
                StoreFour(w.A, x.A, y.A, z.A, to);
                StoreFour(w.B, x.B, y.B, z.B, to + 4 * Stride);
                StoreFour(w.C, x.C, y.C, z.C, to + 8 * Stride);
                StoreFour(w.D, x.D, y.D, z.D, to + 12 * Stride);
            }
            for (; c < channels; c++, to += Stride)
                (to[0], to[1], to[2], to[3]) = (row[c], second[c], third[c], fourth[c]);
        }
    }

    /// <summary>Zeros in <paramref name="rows"/> rows of each of the panels.</summary>
    public static void Clear(float* panels, int rows, int channels)
    {
        for (var panel = 0; panel < CountOf(channels); panel++)
            new Span<float>(panels + panel * Size, rows * Stride).Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreFour(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d, float* to)
    {
        Vector128.Store(a, to);
        Vector128.Store(b, to + Stride);
        Vector128.Store(c, to + 2 * Stride);
        Vector128.Store(d, to + 3 * Stride);
    }
}
