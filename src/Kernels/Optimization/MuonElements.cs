namespace Elastic.Kernels.Optimization;

/// <summary>What Muon does to each element of a matrix, before and after the orthogonalization; each operation rounded once.</summary>
internal static unsafe class MuonElements
{
    /// <summary>
    /// g = gradient clip;  momentum = fma(momentum, β, g (1 - β));  into = fma(momentum, β, g (1 - β)): Nesterov's look-ahead. Momenta
    /// below <see cref="AdamWUpdate.SmallestMoment"/> in magnitude become 0.
    /// </summary>
    public static void LookAhead(float* into, float* momentum, float* gradient, long count, float clip, float beta, float rest)
        => LaneDispatch.Run(new LookAheadKernel(into, momentum, gradient, count, clip, beta, rest));

    /// <summary>parameter = fma(step, -rate, parameter decay)</summary>
    public static void Apply(float* parameters, float* step, long count, float decay, float rate)
        => LaneDispatch.Run(new ApplyKernel(parameters, step, count, decay, rate));

    private readonly struct LookAheadKernel(float* into, float* momentum, float* gradient, long count, float clip, float beta, float rest)
        : ILaneKernel
    {
        private readonly float* _into = into, _momentum = momentum, _gradient = gradient;

        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            T clips = T.Broadcast(clip), betas = T.Broadcast(beta), rests = T.Broadcast(rest);
            T smallest = T.Broadcast(AdamWUpdate.SmallestMoment), magnitude = T.Bits(int.MaxValue);
            for (var i = 0L; i < count; i += 16)
            {
                var n = (int)Math.Min(16, count - i);
                var share = T.LoadFirst(_gradient + i, n) * clips * rests;
                var m = T.Fma(T.LoadFirst(_momentum + i, n), betas, share);
                m = T.Select(T.GreaterThan(smallest, m & magnitude), T.Bits(0), m);
                T.StoreFirst(m, _momentum + i, n);
                T.StoreFirst(T.Fma(m, betas, share), _into + i, n);
            }
        }
    }

    private readonly struct ApplyKernel(float* parameters, float* step, long count, float decay, float rate) : ILaneKernel
    {
        private readonly float* _parameters = parameters, _step = step;

        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            T decays = T.Broadcast(decay), rates = T.Broadcast(-rate);
            for (var i = 0L; i < count; i += 16)
            {
                var n = (int)Math.Min(16, count - i);
                T.StoreFirst(T.Fma(T.LoadFirst(_step + i, n), rates, T.LoadFirst(_parameters + i, n) * decays), _parameters + i, n);
            }
        }
    }
}
