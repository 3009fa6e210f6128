namespace Elastic.Kernels.Optimization;

/// <summary>The operations of <see cref="Averaging"/>: element by element, each rounded once.</summary>
internal static unsafe class Elementwise
{
    /// <summary>into = a + b; may be one of them.</summary>
    public static void Add(ReadOnlySpan<float> a, ReadOnlySpan<float> b, Span<float> into)
    {
        fixed (float* x = a, y = b, z = into)
            Ranges.Add(z, x, y, into.Length);
    }

    /// <summary>into = a / divisor; may be a.</summary>
    public static void Divide(ReadOnlySpan<float> a, float divisor, Span<float> into)
    {
        fixed (float* x = a, z = into)
            LaneDispatch.Run(new DivideKernel(x, divisor, z, into.Length));
    }

    /// <summary>g = version - mean; momentum = momentum μ + g; version -= (g + momentum μ) rate. Without fused multiply-adds.</summary>
    public static void OuterStep(Span<float> version, ReadOnlySpan<float> mean, Span<float> momentum, float rate, float mu)
    {
        fixed (float* v = version, m = mean, b = momentum)
            LaneDispatch.Run(new OuterStepKernel(v, m, b, version.Length, rate, mu));
    }

    private readonly struct DivideKernel(float* a, float divisor, float* into, int count) : ILaneKernel
    {
        private readonly float* _a = a, _into = into;

        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            var divisors = T.Broadcast(divisor);
            var i = 0;
            for (; i + 16 <= count; i += 16)
                T.Store(T.Load(_a + i) / divisors, _into + i);
            if (i < count)
                T.StoreFirst(T.LoadFirst(_a + i, count - i) / divisors, _into + i, count - i);
        }
    }

    private readonly struct OuterStepKernel(float* version, float* mean, float* momentum, int count, float rate, float mu) : ILaneKernel
    {
        private readonly float* _version = version, _mean = mean, _momentum = momentum;

        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            T rates = T.Broadcast(rate), mus = T.Broadcast(mu);
            for (var i = 0; i < count; i += 16)
            {
                var n = Math.Min(16, count - i);
                T v = T.LoadFirst(_version + i, n), g = v - T.LoadFirst(_mean + i, n), b = T.LoadFirst(_momentum + i, n) * mus + g;
                T.StoreFirst(b, _momentum + i, n);
                T.StoreFirst(v - (g + b * mus) * rates, _version + i, n);
            }
        }
    }
}
