using Elastic.Kernels;
using Elastic.Kernels.Optimization;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>Kernels over elements, on the fake GPU: bit for bit what <c>Kernels</c> give, and close to double precision.</summary>
public sealed unsafe class KernelElementTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Gelu_goes_forwards_and_backwards(bool isTanh)
    {
        float[] x = [.. Numbers.Some(3000, 1, 12), 0, -0f, 1e-30f, -90, 90], dy = Numbers.Some(x.Length, 2);
        float[] y = new float[x.Length], y2 = [.. y], dx = [.. y], dx2 = [.. y];
        fixed (float* from = x, gradient = dy, ours = y, theirs = y2, d1 = dx, d2 = dx2)
        {
            var kernels = FakeGpu.Shared.Kernels(0);
            kernels.GeluForward(ours, from, x.Length, isTanh);
            kernels.GeluBackward(d1, gradient, from, x.Length, isTanh);
            if (isTanh)
            {
                Activations.Forward<GeluTanh>(theirs, from, x.Length);
                Activations.Backward<GeluTanh>(d2, gradient, from, x.Length);
            }
            else
            {
                Activations.Forward<GeluErf>(theirs, from, x.Length);
                Activations.Backward<GeluErf>(d2, gradient, from, x.Length);
            }
        }
        Numbers.AssertSameBits(y2, y);
        Numbers.AssertSameBits(dx2, dx);
        for (var i = 0; isTanh && i < x.Length; i++)
            Assert.Equal(
                x[i] / 2.0 * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x[i] + 0.044715 * Math.Pow(x[i], 3)))), y[i], 1e-5);
    }

    [Theory]
    [InlineData(0.1, 0, true)]
    [InlineData(0.9, 61, false)]
    [InlineData(0, 3, true)]
    public void Dropout_draws_the_same_words_from_any_place_of_its_site(double probability, long first, bool hasResidual)
    {
        const int count = 1003;
        float[] x = Numbers.Some(count, 3), residual = Numbers.Some(count, 4), y = new float[count], y2 = [.. y];
        var rate = DropoutRate.Of(probability);
        fixed (float* from = x, add = residual, ours = y, theirs = y2)
        {
            FakeGpu.Shared.Kernels(0).Dropout(ours, from, hasResidual ? add : null, 0x1234_5678_9abc_def0, first, count, rate);
            Dropout.Apply(theirs, from, hasResidual ? add : null, 0x1234_5678_9abc_def0, first, count, rate);
        }
        Numbers.AssertSameBits(y2, y);
    }

    [Fact]
    public void AdamW_updates_masters_moments_and_their_copy_in_bf16()
    {
        const int count = 3000;
        float[] p = Numbers.Some(count, 5), g = Numbers.Some(count, 6), m = new float[count], v = new float[count];
        g[7] = 1e-38f;                                                            // a moment that becomes zero
        float[] p2 = [.. p], m2 = [.. m], v2 = [.. v];
        var expected = p.Select(a => (double)a).ToArray();
        var copy = new ushort[count];
        var kernels = FakeGpu.Shared.Kernels(0);
        fixed (float* p0 = p, g0 = g, m0 = m, v0 = v, p1 = p2, m1 = m2, v1 = v2)
        fixed (ushort* narrow = copy)
        {
            for (var number = 1; number <= 3; number++)
            {
                var step = new AdamWStep(number, 1e-3, 0.9, 0.95, 1e-8, 0.1, 0.5);
                kernels.AdamW(p0, g0, m0, v0, narrow, count, step);
                AdamWUpdate.Run(p1, g0, m1, v1, count, step);
            }
        }
        Numbers.AssertSameBits([.. p2, .. m2, .. v2], [.. p, .. m, .. v]);
        Assert.Equal(Numbers.Narrow(p), copy);
        // Loshchilov and Hutter 2019, algorithm 2, in double precision: with equal gradients the moments' ratio is 1.
        for (var i = 0; i < count; i++)
            for (var number = 1; number <= 3; number++)
                expected[i] = expected[i] * (1 - 1e-4) - 1e-3 * g[i] * 0.5 / (Math.Abs(g[i] * 0.5) + 1e-8);
        Assert.All(Enumerable.Range(8, count - 8), i => Assert.Equal(expected[i], p[i], 1e-5));
    }

    [Fact]
    public void Structures_have_the_size_that_the_compiler_gives_them()
    {
        Assert.Equal(9 * sizeof(float), (int)FakeGpu.Shared.SizeOf("step"));
        Assert.Equal(128 * (sizeof(long) + sizeof(int)) + sizeof(long), (int)FakeGpu.Shared.SizeOf("roots"));
    }
}
