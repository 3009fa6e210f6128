using System.Runtime.CompilerServices;

namespace Elastic.Kernels.Optimization;

/// <summary>
/// AdamW over a range of flat vectors, in one pass. For each element, each operation rounded once (fma a fused multiply-add):
///   g = gradient clip
///   m = fma(m, β1, g (1 - β1)),   v = fma(v, β2, g (1 - β2) g)
///   parameter = parameter decay - rate m / fma(sqrt(v), correction, ε)
/// with the numbers of <see cref="AdamWStep"/>. Moments below 2^-126 in magnitude, the smallest normal number, become 0: otherwise those of
/// parameters without gradients would shrink through the denormal numbers for thousands of steps, which some processors are slow at.
/// </summary>
internal static unsafe class AdamWUpdate
{
    /// <summary>Moments below it become 0.</summary>
    public const float SmallestMoment = 1.17549435e-38f;

    /// <summary>Updates parameters and both moments in place.</summary>
    public static void Run(
        float* parameters, float* gradients, float* firstMoments, float* secondMoments, long count, in AdamWStep step)
        => LaneDispatch.Run(new Kernel(parameters, gradients, firstMoments, secondMoments, count, step));

    private readonly struct Kernel(float* p, float* g, float* m, float* v, long count, in AdamWStep step) : ILaneKernel
    {
        private readonly float* _p = p, _g = g, _m = m, _v = v;
        private readonly AdamWStep _step = step;

        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
            => Update<T>(_p, _g, _m, _v, count, _step);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Update<T>(
        float* parameters, float* gradients, float* firstMoments, float* secondMoments, long count, AdamWStep step)
        where T : struct, ILanes<T>
    {
        var at = 0L;
        for (; at + 16 <= count; at += 16)
        {
            var (p, m, v) = (T.Load(parameters + at), T.Load(firstMoments + at), T.Load(secondMoments + at));
            Element(ref p, T.Load(gradients + at), ref m, ref v, step);
            T.Store(p, parameters + at);
            T.Store(m, firstMoments + at);
            T.Store(v, secondMoments + at);
        }
        var rest = (int)(count - at);
        if (rest > 0)
        {
            T p = T.LoadFirst(parameters + at, rest), m = T.LoadFirst(firstMoments + at, rest), v = T.LoadFirst(secondMoments + at, rest);
            Element(ref p, T.LoadFirst(gradients + at, rest), ref m, ref v, step);
            T.StoreFirst(p, parameters + at, rest);
            T.StoreFirst(m, firstMoments + at, rest);
            T.StoreFirst(v, secondMoments + at, rest);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Element<T>(ref T p, T gradient, ref T m, ref T v, in AdamWStep step)
        where T : struct, ILanes<T>
    {
        var g = gradient * T.Broadcast(step.Clip);
        m = T.Fma(m, T.Broadcast(step.Beta1), g * T.Broadcast(step.Rest1));
        v = T.Fma(v, T.Broadcast(step.Beta2), g * T.Broadcast(step.Rest2) * g);
        var smallest = T.Broadcast(SmallestMoment);
        m = T.Select(T.GreaterThan(smallest, m & T.Bits(int.MaxValue)), T.Bits(0), m);
        v = T.Select(T.GreaterThan(smallest, v), T.Bits(0), v);
        var divisor = T.Fma(T.Sqrt(v), T.Broadcast(step.RootCorrection), T.Broadcast(step.Epsilon));
        p = p * T.Broadcast(step.Decay) - T.Broadcast(step.Rate) * m / divisor;
    }
}
