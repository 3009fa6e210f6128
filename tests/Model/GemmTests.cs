using CsCheck;
using Elastic.Kernels;
using Elastic.Model.Native;
using Elastic.Model.Networks;
using static TorchSharp.torch;

namespace Elastic.Model.Tests;

public unsafe class GemmTests
{
    public GemmTests() => NativeTorch.Load();

    [Fact]
    public void Shapes_that_do_not_fit_are_refused()
    {
        using var scope = NewDisposeScope();
        Assert.Throws<ArgumentException>(() => Matmul.Multiply(empty(2, 3), empty(2, 4), empty(5, 3)));
    }

    [Fact]
    public void Products_of_any_shape_and_orientation_agree_with_double_precision()
        => Gen.Select(Gen.Int[1, 300], Gen.Int[1, 300], Gen.Int[1, 1700], Gen.Bool, Gen.Bool, Gen.Bool)
            .Sample((m, n, k, flipA, flipB, accumulate) =>
            {
                using var scope = NewDisposeScope();
                var a = flipA ? randn(k, m).t() : randn(m, k);
                var b = flipB ? randn(n, k).t() : randn(k, n);
                var c = randn(m, n + 3).narrow(1, 2, n); // rows further apart than they are long
                var expected = a.to(float64).mm(b.to(float64)) + (accumulate ? c.to(float64) : 0);
                Matmul.Multiply(c, a, b, accumulate);
                Assert.InRange((c - expected).abs().max().item<double>(), 0, 1e-5 * Math.Sqrt(k) + 1e-6);
            }, iter: 60, threads: 1);

    [Fact]
    public void The_bias_is_added_once()
    {
        using var scope = NewDisposeScope();
        var (x, w, b) = (randn(9, 1600), randn(1600, 50), randn(50));
        Assert.True(allclose(addmm(b, x, w, 1, 1), Matmul.Linear(x, w, b), 1e-4, 1e-4));
    }

    [Fact]
    public void Every_element_is_one_chain_of_fused_multiply_adds_in_the_order_of_depth()
    {
        using var scope = NewDisposeScope();
        const int m = 11, n = 37, k = Gemm.DepthBlock + 100;
        var (a, b, c) = (randn(m, k), randn(k, n), empty(m, n));
        Matmul.Multiply(c, a, b);
        var (left, right, actual) = (a.data<float>().ToArray(), b.data<float>().ToArray(), c.data<float>().ToArray());
        for (var i = 0; i < m; i++)
        {
            for (var j = 0; j < n; j++)
            {
                var sum = 0f;
                for (var block = 0; block < k; block += Gemm.DepthBlock)
                {
                    var chain = 0f;
                    for (var step = block; step < Math.Min(k, block + Gemm.DepthBlock); step++)
                        chain = MathF.FusedMultiplyAdd(left[i * k + step], right[step * n + j], chain);
                    sum += chain;
                }
                Assert.Equal(BitConverter.SingleToUInt32Bits(sum), BitConverter.SingleToUInt32Bits(actual[i * n + j]));
            }
        }
    }

    [Fact]
    public void Registers_of_eight_and_of_sixteen_floats_give_the_same_bits()
    {
        if (!System.Runtime.Intrinsics.X86.Avx512F.IsSupported)
            return;
        var (a, b) = (Values(1, 200 * Kernel.Rows), Values(2, 200 * Kernel.Columns));
        float[] wide = Values(3, Kernel.Rows * Kernel.Columns), narrow = [.. wide], bias = Values(4, Kernel.Columns);
        fixed (float* pa = a, pb = b, pw = wide, pn = narrow, pBias = bias)
        {
            Kernel.Run512(200, pa, pb, pw, Kernel.Columns, true, pBias);
            for (var x = 0; x < Kernel.Columns; x += 16)
            {
                for (var y = 0; y < Kernel.Rows; y += 4)
                    Kernel.Run256(200, pa + y, pb + x, pn + y * Kernel.Columns + x, Kernel.Columns, true, pBias + x);
            }
        }
        Assert.Equal(wide.Select(BitConverter.SingleToUInt32Bits), narrow.Select(BitConverter.SingleToUInt32Bits));
    }

    [Fact]
    public void A_thread_packs_into_aligned_memory_of_its_own_that_goes_when_the_thread_ends()
    {
        WeakReference[] gone = [Pack(), Pack()];
        for (var i = 0; i < 10 && gone.Any(g => g.IsAlive); i++)
            GC.Collect();
        Assert.All(gone, g => Assert.False(g.IsAlive));

        static WeakReference Pack()
        {
            WeakReference? buffers = null;
            var thread = new Thread(() =>
            {
                var mine = PackingBuffers.OfThisThread(100, 10);
                Assert.Equal(0, (nint)mine.A % 64);
                Assert.Same(mine, PackingBuffers.OfThisThread(100, 10));
                buffers = new WeakReference(mine);
            });
            thread.Start();
            thread.Join();
            return buffers!;
        }
    }

    private static float[] Values(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() - 0.5))];
    }
}
