using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Elastic.Kernels;

namespace Elastic.Bench.Kernels;

/// <summary>Independent fused multiply-adds in registers: what no product can exceed. As many chains as hide their latency.</summary>
internal static class FmaPeak
{
    private const int Chains = 12;

    private static float _sink;

    /// <summary>Floating-point operations of <see cref="Run"/>.</summary>
    public static double Operations(int steps) => 2.0 * steps * Chains * Width;

    private static int Width => Avx512F.IsSupported ? 16 : Fma.IsSupported ? 8 : 4;

    /// <summary>The chains, with the widest vectors of this processor.</summary>
    public static void Run(int steps)
    {
        if (Avx512F.IsSupported)
            Run512(steps);
        else if (Fma.IsSupported)
            Run256(steps);
        else
            Run128(steps);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run512(int steps)
    {
        var x = Vector512.Create(0.5f);
        Vector512<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (var s = 0; s < steps; s++)
        {
            (a, b, c) = (Avx512F.FusedMultiplyAdd(x, x, a), Avx512F.FusedMultiplyAdd(x, x, b), Avx512F.FusedMultiplyAdd(x, x, c));
            (d, e, f) = (Avx512F.FusedMultiplyAdd(x, x, d), Avx512F.FusedMultiplyAdd(x, x, e), Avx512F.FusedMultiplyAdd(x, x, f));
            (g, h, i) = (Avx512F.FusedMultiplyAdd(x, x, g), Avx512F.FusedMultiplyAdd(x, x, h), Avx512F.FusedMultiplyAdd(x, x, i));
            (j, k, l) = (Avx512F.FusedMultiplyAdd(x, x, j), Avx512F.FusedMultiplyAdd(x, x, k), Avx512F.FusedMultiplyAdd(x, x, l));
        }
        _sink = (a + b + c + d + e + f + g + h + i + j + k + l)[0];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run256(int steps)
    {
        var x = Vector256.Create(0.5f);
        Vector256<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (var s = 0; s < steps; s++)
        {
            (a, b, c) = (Fma.MultiplyAdd(x, x, a), Fma.MultiplyAdd(x, x, b), Fma.MultiplyAdd(x, x, c));
            (d, e, f) = (Fma.MultiplyAdd(x, x, d), Fma.MultiplyAdd(x, x, e), Fma.MultiplyAdd(x, x, f));
            (g, h, i) = (Fma.MultiplyAdd(x, x, g), Fma.MultiplyAdd(x, x, h), Fma.MultiplyAdd(x, x, i));
            (j, k, l) = (Fma.MultiplyAdd(x, x, j), Fma.MultiplyAdd(x, x, k), Fma.MultiplyAdd(x, x, l));
        }
        _sink = (a + b + c + d + e + f + g + h + i + j + k + l)[0];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run128(int steps)
    {
        var x = Vector128.Create(0.5f);
        Vector128<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (var s = 0; s < steps; s++)
        {
            (a, b, c) = (Vector128.FusedMultiplyAdd(x, x, a), Vector128.FusedMultiplyAdd(x, x, b), Vector128.FusedMultiplyAdd(x, x, c));
            (d, e, f) = (Vector128.FusedMultiplyAdd(x, x, d), Vector128.FusedMultiplyAdd(x, x, e), Vector128.FusedMultiplyAdd(x, x, f));
            (g, h, i) = (Vector128.FusedMultiplyAdd(x, x, g), Vector128.FusedMultiplyAdd(x, x, h), Vector128.FusedMultiplyAdd(x, x, i));
            (j, k, l) = (Vector128.FusedMultiplyAdd(x, x, j), Vector128.FusedMultiplyAdd(x, x, k), Vector128.FusedMultiplyAdd(x, x, l));
        }
        _sink = (a + b + c + d + e + f + g + h + i + j + k + l)[0];
    }
}

/// <summary>The same on each thread of a team.</summary>
internal readonly struct PeakWork(int steps) : IParallelWork
{
    public void Run(int piece) => FmaPeak.Run(steps);
}
