using System.Runtime.CompilerServices;
using Elastic.Kernels;

namespace Elastic.Bench;

/// <summary>A function of sixteen lanes, with what it approximates. The benchmark and the tests share this list.</summary>
/// <param name="Exact">In double precision.</param>
/// <param name="IsDomain">Inputs for which the bound is promised; of others only the kinds of lanes are compared.</param>
/// <param name="Bound">The largest error, in units in the last place of the exact result.</param>
internal sealed unsafe record ElementaryFunction(
    string Name, Action<float[], float[]> Apply, Func<double, double> Exact, Func<float, bool> IsDomain, double Bound)
{
    /// <summary>All functions of one argument.</summary>
    public static IReadOnlyList<ElementaryFunction> All { get; } =
    [
        Of<Exp>("exp", Math.Exp, _ => true, 1.02),
        Of<ExpOrZero>("exp or zero", x => x < -87 ? 0 : Math.Exp(x), x => x <= 88, 1.02),
        Of<Sigmoid>("sigmoid", x => 1 / (1 + Math.Exp(-x)), x => x >= -87, 2.5),
        Of<Log>("log", Math.Log, x => x >= 0, 0.9),
        Of<Tanh>("tanh", Math.Tanh, _ => true, 2.5),
        Of<Erf>("erf", ErfReference.Erf, _ => true, 1.2),
        Of<Sin>("sin", Math.Sin, x => Math.Abs(x) <= 100_000, 1.6),
        Of<Cos>("cos", Math.Cos, x => Math.Abs(x) <= 100_000, 1.6),
    ];

    /// <summary>The distance of a result from the exact one in its last places; infinite where only one of them is finite.</summary>
    public static double Ulps(float result, double exact)
    {
        if (double.IsNaN(exact) || float.IsNaN(result))
            return double.IsNaN(exact) && float.IsNaN(result) ? 0 : double.PositiveInfinity;
        // From this value on, round to nearest gives an infinite fp32 number.
        const double overflow = float.MaxValue + 1.0141204801825835e31;
        if (float.IsInfinity(result) || Math.Abs(exact) >= overflow)
        {
            var isSame = float.IsInfinity(result) && Math.Abs(exact) >= overflow && Math.Sign(exact) == Math.Sign(result);
            return isSame ? 0 : double.PositiveInfinity;
        }
        var exponent = (int)(BitConverter.DoubleToUInt64Bits(exact) >> 52 & 0x7ff) - 1023;
        return Math.Abs(result - exact) * Math.ScaleB(1, 23 - Math.Max(exponent, -126));
    }

    private static ElementaryFunction Of<TFunction>(string name, Func<double, double> exact, Func<float, bool> isDomain, double bound)
        where TFunction : struct, ILaneFunction
        => new(name, (x, y) => LaneDispatch.Run(new Map<TFunction>(x, y)), exact, isDomain, bound);

    private interface ILaneFunction
    {
        static abstract T Of<T>(T x)
            where T : struct, ILanes<T>;
    }

    private readonly struct Map<TFunction>(float[] from, float[] into) : ILaneKernel
        where TFunction : struct, ILaneFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            fixed (float* x = from, y = into)
            {
                for (var i = 0; i < from.Length; i += 16)
                    T.Store(TFunction.Of(T.Load(x + i)), y + i);
            }
        }
    }

    private readonly struct Exp : ILaneFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Of<T>(T x)
            where T : struct, ILanes<T>
            => ElementaryLanes.Exp(x);
    }

    private readonly struct ExpOrZero : ILaneFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Of<T>(T x)
            where T : struct, ILanes<T>
            => ElementaryLanes.ExpOrZero(x);
    }

    private readonly struct Sigmoid : ILaneFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Of<T>(T x)
            where T : struct, ILanes<T>
            => ElementaryLanes.Sigmoid(x);
    }

    private readonly struct Log : ILaneFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Of<T>(T x)
            where T : struct, ILanes<T>
            => ElementaryLanes.Log(x);
    }

    private readonly struct Tanh : ILaneFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Of<T>(T x)
            where T : struct, ILanes<T>
            => ElementaryLanes.Tanh(x);
    }

    private readonly struct Erf : ILaneFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Of<T>(T x)
            where T : struct, ILanes<T>
            => ElementaryLanes.Erf(x);
    }

    private readonly struct Sin : ILaneFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Of<T>(T x)
            where T : struct, ILanes<T>
            => ElementaryLanes.Sin(x);
    }

    private readonly struct Cos : ILaneFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Of<T>(T x)
            where T : struct, ILanes<T>
            => ElementaryLanes.Cos(x);
    }
}

/// <summary>The error function in double precision, which the runtime's library lacks.</summary>
internal static class ErfReference
{
    /// <summary>Taylor's series up to 2.5, the continued fraction of its complement above; good to 1e-14.</summary>
    public static double Erf(double x)
    {
        if (x < 0)
            return -Erf(-x);
        if (x > 6)
            return 1;
        if (x > 2.5)
        {
            // erfc x = e^-x² / √π · 1 / (x + (1/2) / (x + 1 / (x + (3/2) / (x + ...)))).
            var tail = x;
            for (var k = 40; k >= 1; k--)
                tail = x + k / 2.0 / tail;
            return 1 - Math.Exp(-x * x) / (Math.Sqrt(Math.PI) * tail);
        }
        double term = x, sum = x, square = x * x;
        for (var k = 1; Math.Abs(term) > 1e-17 * sum; k++)
        {
            term *= -square / k;
            sum += term / (2 * k + 1);
        }
        return sum * 2 / Math.Sqrt(Math.PI);
    }
}
