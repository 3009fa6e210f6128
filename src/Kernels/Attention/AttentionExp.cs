using System.Runtime.CompilerServices;

namespace Elastic.Kernels.Attention;

internal static class AttentionExp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Exp<T>(T x)
        where T : struct, ILanes<T>
    {
        var rounder = T.Broadcast(12_582_912f);
        x = T.Max(x, T.Broadcast(-87f));
        var n = x * T.Broadcast(1.44269504f) + rounder;
        var m = n - rounder;
        var r = T.Fma(m, T.Broadcast(-0.693359375f), x);
        r = T.Fma(m, T.Broadcast(2.12194440e-4f), r);
        var p = T.Broadcast(1.9875691500e-4f);
        p = T.Fma(p, r, T.Broadcast(1.3981999507e-3f));
        p = T.Fma(p, r, T.Broadcast(8.3334519073e-3f));
        p = T.Fma(p, r, T.Broadcast(4.1665795894e-2f));
        p = T.Fma(p, r, T.Broadcast(1.6666665459e-1f));
        p = T.Fma(p, r, T.Broadcast(5.0000001201e-1f));
        p = T.Fma(p, r * r, r) + T.Broadcast(1);
        return T.AddInt(p, T.ShiftLeft(n, 23));
    }
}
