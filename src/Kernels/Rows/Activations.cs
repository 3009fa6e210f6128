using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>A function of one number and its derivative, over lanes: for kernels of their own and for the epilogues of products.</summary>
internal interface IActivation
{
    static abstract T Value<T>(T x)
        where T : struct, ILanes<T>;

    static abstract T Slope<T>(T x)
        where T : struct, ILanes<T>;
}

/// <summary>
/// GELU (Hendrycks and Gimpel 2016), the form with the hyperbolic tangent: x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))), computed as
/// x · sigmoid(2 √(2/π) (x + 0.044715 x³)), which is the same and cancels nothing. For |x| &lt; 1e12.
/// </summary>
internal readonly struct GeluTanh : IActivation
{
    private const float Linear = 1.59576912f, Cubic = 0.0713548163f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Value<T>(T x)
        where T : struct, ILanes<T>
        => x * ElementaryLanes.Sigmoid(x * T.Fma(x * x, T.Broadcast(Cubic), T.Broadcast(Linear)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Slope<T>(T x)
        where T : struct, ILanes<T>
    {
        var square = x * x;
        var s = ElementaryLanes.Sigmoid(x * T.Fma(square, T.Broadcast(Cubic), T.Broadcast(Linear)), out var complement);
        var inner = T.Fma(square, T.Broadcast(3 * Cubic), T.Broadcast(Linear));
        return T.Fma(x * inner, s * complement, s);
    }
}

/// <summary>GELU (Hendrycks and Gimpel 2016): x Φ(x), Φ(x) = 1/2 + erf(x/√2)/2. The derivative is Φ(x) + x e^(-x²/2) / √(2π).</summary>
internal readonly struct GeluErf : IActivation
{
    private const float SqrtHalf = 0.707106769f, Density = 0.398942292f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Value<T>(T x)
        where T : struct, ILanes<T>
        => x * Normal(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Slope<T>(T x)
        where T : struct, ILanes<T>
        => T.Fma(x * T.Broadcast(Density), ElementaryLanes.ExpOrZero(x * x * T.Broadcast(-0.5f)), Normal(x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Normal<T>(T x)
        where T : struct, ILanes<T>
        => T.Fma(ElementaryLanes.Erf(x * T.Broadcast(SqrtHalf)), T.Broadcast(0.5f), T.Broadcast(0.5f));
}

/// <summary>SiLU, or swish (Ramachandran, Zoph and Le 2017): x · sigmoid(x). With s the sigmoid, its derivative: s + x s (1 - s).</summary>
internal readonly struct Silu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Value<T>(T x)
        where T : struct, ILanes<T>
        => x * ElementaryLanes.Sigmoid(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Slope<T>(T x)
        where T : struct, ILanes<T>
    {
        var s = ElementaryLanes.Sigmoid(x, out var complement);
        return T.Fma(x, s * complement, s);
    }
}

/// <summary>The rectifier (Nair and Hinton 2010): x above 0, else 0. Its derivative is 1 above 0, else 0.</summary>
internal readonly struct Relu : IActivation
{
    // What is not a number stays so: it must reach the loss.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Value<T>(T x)
        where T : struct, ILanes<T>
        => T.Select(T.GreaterThan(T.Bits(0), x), T.Bits(0), x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Slope<T>(T x)
        where T : struct, ILanes<T>
        => T.Select(T.GreaterThan(x, T.Bits(0)), T.Broadcast(1f), T.Bits(0));
}

/// <summary>Activations of ranges of elements. Elements do not touch one another: any cut gives the same bits.</summary>
internal static unsafe class Activations
{
    /// <summary>y[i] = f(x[i]); y may be x.</summary>
    public static void Forward<TActivation>(float* y, float* x, long count)
        where TActivation : struct, IActivation
        => LaneDispatch.Run(new ForwardKernel<TActivation>(y, x, count));

    /// <summary>dx[i] = dy[i] f'(x[i]); dx may be dy or x.</summary>
    public static void Backward<TActivation>(float* dx, float* dy, float* x, long count)
        where TActivation : struct, IActivation
        => LaneDispatch.Run(new BackwardKernel<TActivation>(dx, dy, x, count));

    /// <summary>SwiGLU (Shazeer 2020): y = silu(gate) · up. All (rows, columns), each with its own distance of rows.</summary>
    public static void SwiGlu(
        float* y, long yStride, float* gate, long gateStride, float* up, long upStride, int rows, int columns)
        => LaneDispatch.Run(new SwiGluKernel(y, yStride, gate, gateStride, up, upStride, rows, columns));

    /// <summary>dGate = dy · up · silu'(gate), dUp = dy · silu(gate). The results may lie where gate and up do.</summary>
    public static void SwiGluBackward(
        float* dGate, long dGateStride, float* dUp, long dUpStride, float* dy, long dyStride, float* gate, long gateStride, float* up,
        long upStride, int rows, int columns)
        => LaneDispatch.Run(new SwiGluBackwardKernel(
            dGate, dGateStride, dUp, dUpStride, dy, dyStride, gate, gateStride, up, upStride, rows, columns));

    [StructLayout(LayoutKind.Auto)]
    private readonly struct ForwardKernel<TActivation>(float* y, float* x, long count) : ILaneKernel
        where TActivation : struct, IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            float* from = x, into = y;
            var whole = count & -16;
            for (long i = 0; i < whole; i += 16)
                T.Store(TActivation.Value(T.Load(from + i)), into + i);
            var rest = (int)(count - whole);
            if (rest > 0)
                T.StoreFirst(TActivation.Value(T.LoadFirst(from + whole, rest)), into + whole, rest);
        }
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct BackwardKernel<TActivation>(float* dx, float* dy, float* x, long count) : ILaneKernel
        where TActivation : struct, IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            float* from = x, gradient = dy, into = dx;
            var whole = count & -16;
            for (long i = 0; i < whole; i += 16)
                T.Store(T.Load(gradient + i) * TActivation.Slope(T.Load(from + i)), into + i);
            var rest = (int)(count - whole);
            if (rest > 0)
            {
                var slope = TActivation.Slope(T.LoadFirst(from + whole, rest));
                T.StoreFirst(T.LoadFirst(gradient + whole, rest) * slope, into + whole, rest);
            }
        }
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct SwiGluKernel(
        float* y, long yStride, float* gate, long gateStride, float* up, long upStride, int rows, int columns) : ILaneKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            for (var row = 0; row < rows; row++)
            {
                float* g = gate + row * gateStride, u = up + row * upStride, into = y + row * yStride;
                var i = 0;
                for (; i + 16 <= columns; i += 16)
                    T.Store(Silu.Value(T.Load(g + i)) * T.Load(u + i), into + i);
                if (i < columns)
                    T.StoreFirst(Silu.Value(T.LoadFirst(g + i, columns - i)) * T.LoadFirst(u + i, columns - i), into + i, columns - i);
            }
        }
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct SwiGluBackwardKernel(
        float* dGate, long dGateStride, float* dUp, long dUpStride, float* dy, long dyStride, float* gate, long gateStride, float* up,
        long upStride, int rows, int columns) : ILaneKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            for (var row = 0; row < rows; row++)
            {
                float* g = gate + row * gateStride, u = up + row * upStride, d = dy + row * dyStride,
                    intoGate = dGate + row * dGateStride, intoUp = dUp + row * dUpStride;
                for (var i = 0; i < columns; i += 16)
                {
                    var n = Math.Min(16, columns - i);
                    var isWhole = n == 16;
                    T x = isWhole ? T.Load(g + i) : T.LoadFirst(g + i, n), v = isWhole ? T.Load(u + i) : T.LoadFirst(u + i, n),
                        gradient = isWhole ? T.Load(d + i) : T.LoadFirst(d + i, n);
                    var s = ElementaryLanes.Sigmoid(x, out var complement);
                    var ofGate = gradient * v * T.Fma(x, s * complement, s);
                    var ofUp = gradient * (x * s);
                    if (isWhole)
                    {
                        T.Store(ofGate, intoGate + i);
                        T.Store(ofUp, intoUp + i);
                        continue;
                    }
                    T.StoreFirst(ofGate, intoGate + i, n);
                    T.StoreFirst(ofUp, intoUp + i, n);
                }
            }
        }
    }
}
