using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Elastic.Kernels;

/// <summary>Sixteen lanes of fp64 in eight registers of 128 bits.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly struct WideLanes128(WideLanes128.Four a, WideLanes128.Four b, WideLanes128.Four c, WideLanes128.Four d)
    : IWideLanes<WideLanes128, Lanes128>
{
    private readonly Four _a = a, _b = b, _c = c, _d = d;

    public static WideLanes128 Zero => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WideLanes128 Add(WideLanes128 sums, Lanes128 x)
        => new(sums._a + Four.Of(x.A), sums._b + Four.Of(x.B), sums._c + Four.Of(x.C), sums._d + Four.Of(x.D));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WideLanes128 AddSquares(WideLanes128 sums, Lanes128 x) => AddProducts(sums, x, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WideLanes128 AddProducts(WideLanes128 sums, Lanes128 x, Lanes128 y) => new(
        sums._a + Four.Of(x.A) * Four.Of(y.A), sums._b + Four.Of(x.B) * Four.Of(y.B),
        sums._c + Four.Of(x.C) * Four.Of(y.C), sums._d + Four.Of(x.D) * Four.Of(y.D));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Fold(WideLanes128 x)
    {
        var four = x._a + x._c + (x._b + x._d);
        var two = four.Lower + four.Upper;
        return two.GetElement(0) + two.GetElement(1);
    }

    /// <summary>Four of them.</summary>
    [StructLayout(LayoutKind.Auto)]
    internal readonly struct Four(Vector128<double> lower, Vector128<double> upper)
    {
        public readonly Vector128<double> Lower = lower, Upper = upper;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Four Of(Vector128<float> x)
        {
            var (lower, upper) = Vector128.Widen(x);
            return new(lower, upper);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Four operator +(Four x, Four y) => new(x.Lower + y.Lower, x.Upper + y.Upper);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Four operator *(Four x, Four y) => new(x.Lower * y.Lower, x.Upper * y.Upper);
    }
}
