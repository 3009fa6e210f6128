using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Elastic.Kernels.Optimization;

namespace Elastic.Kernels.Tests.Optimization;

public unsafe class AdamWTests
{
    private const double Rate = 1e-3, Beta1 = 0.9, Beta2 = 0.95, Epsilon = 1e-8, Decay = 0.1, Clip = 0.3;

    [Fact]
    public void There_is_no_step_before_the_first()
        => Assert.Throws<ArgumentOutOfRangeException>(() => new AdamWStep(0, Rate, Beta1, Beta2, Epsilon, Decay, 1));

    // A step's error: a few roundings of the parameter, and of a step of about the learning rate.
    [Theory]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(1033)]
    public void Ten_steps_agree_with_double_precision(int count)
    {
        var vectors = new Vectors(count);
        var (p, m, v) = (vectors.P.Select(x => (double)x).ToArray(), new double[count], new double[count]);
        for (var t = 1; t <= 10; t++)
        {
            vectors.DrawGradient(t);
            for (var i = 0; i < count; i++)
            {
                var g = vectors.G[i] * Clip;
                p[i] *= 1 - Rate * Decay;
                m[i] = Beta1 * m[i] + (1 - Beta1) * g;
                v[i] = Beta2 * v[i] + (1 - Beta2) * g * g;
                p[i] -= Rate * (m[i] / (1 - Math.Pow(Beta1, t))) / (Math.Sqrt(v[i] / (1 - Math.Pow(Beta2, t))) + Epsilon);
            }
            vectors.Update(t, 0, count);
        }
        const double u = 1.0 / (1 << 24);
        for (var i = 0; i < count; i++)
        {
            Assert.Equal(p[i], vectors.P[i], 10 * 4 * u * (Math.Abs(p[i]) + Rate));
            Assert.Equal(m[i], vectors.M[i], 10 * 3 * u);
            Assert.Equal(v[i], vectors.V[i], 10 * 4 * u * v[i]);
        }
    }

    // With a constant gradient both corrected moments are the gradient and its square, whatever the step: each step is the learning rate.
    [Fact]
    public void A_constant_gradient_moves_parameters_by_the_learning_rate_in_each_step()
    {
        var vectors = new Vectors(100);
        Array.Fill(vectors.G, -0.25f);
        var before = vectors.P.ToArray();
        for (var t = 1; t <= 50; t++)
            vectors.Update(t, 0, 100, decay: 0);
        Assert.All(before.Zip(vectors.P), x => Assert.Equal(x.First + 50 * Rate, x.Second, 50 * 2e-7));
    }

    // The digest is that of one processor's numbers, which every other must have, too.
    [Fact]
    public void All_lanes_and_ranges_give_the_same_bits()
    {
        var expected = After(LaneDispatch.Supported[0], 1000);
        Assert.Equal("0bcec43d59576343", Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes<uint>(expected)))[..16]);
        foreach (var lanes in LaneDispatch.Supported)
        {
            Assert.Equal(expected, After(lanes, 1000));
            Assert.Equal(expected, After(lanes, 37));
        }

        static uint[] After(LaneKind lanes, int range)
        {
            var vectors = new Vectors(1000);
            LaneDispatch.Force(lanes);
            for (var t = 1; t <= 3; t++)
            {
                vectors.DrawGradient(t);
                for (var first = 0; first < 1000; first += range)
                    vectors.Update(t, first, Math.Min(range, 1000 - first));
            }
            LaneDispatch.Force(null);
            return vectors.Bits;
        }
    }

    [Fact]
    public void Moments_end_at_zero_and_never_as_denormal_numbers()
    {
        var vectors = new Vectors(48);
        vectors.DrawGradient(1);
        vectors.Update(1, 0, 48);
        Array.Clear(vectors.G);
        for (var t = 2; t < 3000; t++)
        {
            vectors.Update(t, 0, 48);
            Assert.All(vectors.M.Concat(vectors.V), x => Assert.False(float.IsSubnormal(x)));
        }
        Assert.All(vectors.M.Concat(vectors.V), x => Assert.Equal(0, x));
    }

    [Fact]
    public void Powers_agree_with_the_librarys()
    {
        foreach (var n in new long[] { 1, 2, 3, 1000, 123_457 })
            Assert.Equal(1, AdamWStep.Power(0.9999, n) / Math.Pow(0.9999, n), 1e-10);
        Assert.Equal(0, AdamWStep.Power(0.9999, 1L << 40));
    }

    private sealed class Vectors(int count)
    {
        public float[] P { get; } = Random(0, count);

        public float[] G { get; } = new float[count];

        public float[] M { get; } = new float[count];

        public float[] V { get; } = new float[count];

        public uint[] Bits => [.. P.Concat(M).Concat(V).Select(BitConverter.SingleToUInt32Bits)];

        public void DrawGradient(int seed) => Random(seed, count).CopyTo(G, 0);

        public void Update(int t, int first, int n, double decay = Decay)
        {
            fixed (float* p = P, g = G, m = M, v = V)
            {
                AdamWUpdate.Run(
                    p + first, g + first, m + first, v + first, n, new AdamWStep(t, Rate, Beta1, Beta2, Epsilon, decay, Clip));
            }
        }

        private static float[] Random(int seed, int n)
        {
            var random = new Random(seed);
            return [.. Enumerable.Range(0, n).Select(_ => (float)(random.NextDouble() * 2 - 1))];
        }
    }
}
