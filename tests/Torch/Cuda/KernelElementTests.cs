using Elastic.Kernels;
using Elastic.Kernels.Optimization;
using Elastic.Torch.Cuda;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>
/// Kernels over elements, on the fake GPU: bit for bit what <c>Kernels</c> give, of 16 bits that rounded once, and close to double
/// precision. Wherever memory begins: neighbours are moved at once or one by one.
/// </summary>
public sealed unsafe class KernelElementTests
{
    [Theory]
    [InlineData(ActivationKind.GeluTanh, ElementType.Fp32, 0)]
    [InlineData(ActivationKind.GeluTanh, ElementType.Bf16, 0)]
    [InlineData(ActivationKind.GeluTanh, ElementType.Fp16, 3)]
    [InlineData(ActivationKind.GeluErf, ElementType.Fp32, 1)]
    [InlineData(ActivationKind.GeluErf, ElementType.Bf16, 1)]
    [InlineData(ActivationKind.GeluErf, ElementType.Fp16, 0)]
    [InlineData(ActivationKind.Relu, ElementType.Fp32, 0)]
    [InlineData(ActivationKind.Relu, ElementType.Bf16, 0)]
    internal void Activations_go_forwards_and_backwards(ActivationKind function, ElementType type, int skew)
    {
        var x = TypedArray.Rounded(type, [.. Numbers.Some(3000, 1, 12), 0, -0f, 1e-30f, -90, 90]);
        var dy = TypedArray.Rounded(type, Numbers.Some(x.Length, 2));
        using TypedArray from = new(type, x, skew), gradient = new(type, dy, skew), y = new(type, x, skew), dx = new(type, x, skew);
        var kernels = FakeGpu.Shared.Kernels(0);
        kernels.Activate(function, y, from, x.Length);
        kernels.ActivateBackward(function, dx, gradient, from, x.Length);

        float[] expected = new float[x.Length], slopes = new float[x.Length];
        fixed (float* xs = x, ds = dy, ys = expected, ss = slopes)
        {
            switch (function)
            {
                case ActivationKind.GeluTanh:
                    Compute<GeluTanh>(ys, ss, ds, xs, x.Length);
                    break;
                case ActivationKind.GeluErf:
                    Compute<GeluErf>(ys, ss, ds, xs, x.Length);
                    break;
                default:
                    Compute<Relu>(ys, ss, ds, xs, x.Length);
                    break;
            }
        }
        Numbers.AssertSameBits(TypedArray.Rounded(type, expected), y.Values);
        Numbers.AssertSameBits(TypedArray.Rounded(type, slopes), dx.Values);
        for (var i = 0; function == ActivationKind.GeluTanh && i < x.Length; i++)
            Assert.Equal(
                x[i] / 2.0 * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x[i] + 0.044715 * Math.Pow(x[i], 3)))), expected[i], 1e-5);
    }

    // Large ones on both sides, infinite ones, and what is no number, which stays none.
    [Theory]
    [InlineData(ActivationKind.GeluTanh, ElementType.Fp32)]
    [InlineData(ActivationKind.GeluTanh, ElementType.Bf16)]
    [InlineData(ActivationKind.GeluErf, ElementType.Fp32)]
    [InlineData(ActivationKind.Relu, ElementType.Bf16)]
    internal void Activations_of_what_is_large_or_no_number(ActivationKind function, ElementType type)
    {
        float[] x = TypedArray.Rounded(
            type, [float.PositiveInfinity, float.NegativeInfinity, float.NaN, 1e12f, -1e12f, 3e38f, -3e38f, 87.5f, -87.5f, 9.4f, -9.4f]);
        float[] values = new float[x.Length], slopes = new float[x.Length], dy = [.. x.Select(_ => 1f)];
        using TypedArray from = new(type, x), gradient = new(type, dy), y = new(type, x), dx = new(type, x);
        FakeGpu.Shared.Kernels(0).Activate(function, y, from, x.Length);
        FakeGpu.Shared.Kernels(0).ActivateBackward(function, dx, gradient, from, x.Length);
        fixed (float* xs = x, ds = dy, ys = values, ss = slopes)
        {
            if (function == ActivationKind.GeluTanh)
                Compute<GeluTanh>(ys, ss, ds, xs, x.Length);
            else if (function == ActivationKind.GeluErf)
                Compute<GeluErf>(ys, ss, ds, xs, x.Length);
            else
                Compute<Relu>(ys, ss, ds, xs, x.Length);
        }
        float[] expected = [.. TypedArray.Rounded(type, values), .. TypedArray.Rounded(type, slopes)], made = [.. y.Values, .. dx.Values];
        Assert.Equal(expected.Select(float.IsNaN), made.Select(float.IsNaN));
        Numbers.AssertSameBits([.. expected.Where(v => !float.IsNaN(v))], [.. made.Where(v => !float.IsNaN(v))]);
        Assert.Contains(expected, v => !float.IsNaN(v));
    }

    [Theory]
    [InlineData(ElementType.Fp32, 0)]
    [InlineData(ElementType.Bf16, 0)]
    [InlineData(ElementType.Bf16, 1)]
    [InlineData(ElementType.Fp16, 0)]
    internal void SwiGlu_goes_forwards_and_backwards_into_the_memory_of_its_inputs(ElementType type, int skew)
    {
        const int count = 1003;
        var g = TypedArray.Rounded(type, Numbers.Some(count, 1, 10));
        var (u, d) = (TypedArray.Rounded(type, Numbers.Some(count, 2)), TypedArray.Rounded(type, Numbers.Some(count, 3)));
        using TypedArray gate = new(type, g, skew), up = new(type, u), dy = new(type, d), y = new(type, d);
        var kernels = FakeGpu.Shared.Kernels(0);
        kernels.SwiGlu(y, gate, up, count);
        kernels.SwiGluBackward(gate, up, dy, gate, up, count);

        float[] expected = new float[count], dGate = new float[count], dUp = new float[count];
        fixed (float* gs = g, us = u, ds = d, ys = expected, dg = dGate, du = dUp)
        {
            Activations.SwiGlu(ys, count, gs, count, us, count, 1, count);
            Activations.SwiGluBackward(dg, count, du, count, ds, count, gs, count, us, count, 1, count);
        }
        Numbers.AssertSameBits(TypedArray.Rounded(type, expected), y.Values);
        Numbers.AssertSameBits(TypedArray.Rounded(type, dGate), gate.Values);
        Numbers.AssertSameBits(TypedArray.Rounded(type, dUp), up.Values);
        // Shazeer 2020, in double precision.
        for (var i = 0; i < count; i++)
        {
            var s = 1 / (1 + Math.Exp(-(double)g[i]));
            Assert.Equal(g[i] * s * u[i], expected[i], 1e-5);
            Assert.Equal(d[i] * u[i] * s * (1 + g[i] * (1 - s)), dGate[i], 1e-5);
        }
    }

    [Theory]
    [InlineData(64, 0)]
    [InlineData(37, 0)]
    [InlineData(130, 1)]
    public void Attention_drops_the_weights_that_it_drops_on_the_CPU(int keys, int skew)
    {
        const int sequences = 2, heads = 3, queries = 5;
        const ulong key = 0x123456789abcdef0;
        var expected = new float[sequences * heads * queries * keys];
        using TypedArray mask = new(ElementType.Fp32, expected, skew);
        var rate = DropoutRate.Of(0.3);
        FakeGpu.Shared.Kernels(0).AttentionMask(mask.Floats, sequences * heads, queries, keys, key, rate);
        fixed (float* factors = expected)
            Kernels.Attention.AttentionMask.Fill(factors, sequences, heads, queries, keys, key, rate);
        Numbers.AssertSameBits(expected, mask.Values);
    }

    // Of the sum, of what is summed, of the branch.
    [Theory]
    [InlineData(ElementType.Fp32, ElementType.Fp32, ElementType.Fp32, 0)]
    [InlineData(ElementType.Fp32, ElementType.Fp32, ElementType.Bf16, 0)]
    [InlineData(ElementType.Fp32, ElementType.Bf16, ElementType.Bf16, 0)]
    [InlineData(ElementType.Bf16, ElementType.Bf16, ElementType.Bf16, 2)]
    [InlineData(ElementType.Fp32, ElementType.Fp32, ElementType.Fp16, 1)]
    [InlineData(ElementType.Fp32, ElementType.Fp16, ElementType.Fp16, 0)]
    [InlineData(ElementType.Fp16, ElementType.Fp16, ElementType.Fp16, 0)]
    internal void Sums_are_rounded_once_to_fp32_and_once_to_their_type(ElementType sum, ElementType type, ElementType branch, int skew)
    {
        const int count = 517;
        const float scale = 0.3f;
        float[] a = TypedArray.Rounded(type, Numbers.Some(count, 1)), b = TypedArray.Rounded(branch, Numbers.Some(count, 2));
        using TypedArray x = new(type, a, skew), other = new(branch, b, skew), y = new(sum, a, skew),
            added = new(ElementType.Fp32, a, skew), half = new(branch, b, skew), wide = new(ElementType.Fp32, a, skew);
        var kernels = FakeGpu.Shared.Kernels(0);
        kernels.ScaledSum(y, x, other, scale, count);
        kernels.ScaledSum(added, added, other, 1, count);
        kernels.Scale(half, other, scale, count);
        kernels.Scale(wide, other, 1, count);

        float[] sums = new float[count], whole = new float[count], halves = new float[count];
        fixed (float* xs = a, bs = b, ss = sums, ws = whole, hs = halves)
        {
            Ranges.AddScaled(ss, xs, bs, scale, count);
            Ranges.Add(ws, xs, bs, count);
            Ranges.Scale(hs, bs, scale, count);
        }
        Numbers.AssertSameBits(TypedArray.Rounded(sum, sums), y.Values);
        Numbers.AssertSameBits(whole, added.Values);
        Numbers.AssertSameBits(TypedArray.Rounded(branch, halves), half.Values);
        Numbers.AssertSameBits(b, wide.Values);
    }

    [Theory]
    [InlineData(ElementType.Bf16)]
    [InlineData(ElementType.Fp16)]
    internal void Conversions_round_to_the_nearest_and_ties_to_even_over_the_whole_range(ElementType type)
    {
        float[] x =
        [
            0, -0f, 1, -1, 1 + 1f / 256, 1 + 3f / 256, 1 + 1f / 2048, 1 + 3f / 2048, 65_504, 65_519, 65_520, 1e-8f, 3e-8f, 2.98e-8f,
            6.1e-5f, 6.0975552e-5f, 1e-41f, 3e38f, float.MaxValue, float.NegativeInfinity, .. Numbers.Some(1000, 1, 1e5),
            .. Numbers.Some(1000, 2, 1e-4),
        ];
        using TypedArray from = new(ElementType.Fp32, x), y = new(type, new float[x.Length]), back = new(ElementType.Fp32, x),
            none = new(ElementType.Fp32, [float.NaN, .. new float[7]]), ofNone = new(type, new float[8]);
        var kernels = FakeGpu.Shared.Kernels(0);
        kernels.Scale(y, from, 1, x.Length);
        kernels.Scale(back, y, 1, x.Length);
        kernels.Scale(ofNone, none, 1, 8);
        Numbers.AssertSameBits(TypedArray.Rounded(type, x), y.Values);
        Numbers.AssertSameBits(y.Values, back.Values);
        Assert.Equal([true, .. new bool[7]], ofNone.Values.Select(float.IsNaN));
    }

    // What is made, what is dropped, the residual; null for none.
    [Theory]
    [InlineData(0.1, 0, ElementType.Fp32, ElementType.Fp32, ElementType.Fp32)]
    [InlineData(0.9, 61, ElementType.Fp32, ElementType.Fp32, null)]
    [InlineData(0, 3, ElementType.Fp32, ElementType.Fp32, ElementType.Fp32)]
    [InlineData(0.3, 4, ElementType.Fp32, ElementType.Bf16, ElementType.Fp32)]
    [InlineData(0.3, 5, ElementType.Fp32, ElementType.Bf16, ElementType.Bf16)]
    [InlineData(0.3, 8, ElementType.Bf16, ElementType.Fp32, null)]
    [InlineData(0.3, 0, ElementType.Bf16, ElementType.Bf16, null)]
    [InlineData(0.3, 0, ElementType.Fp32, ElementType.Fp16, ElementType.Fp32)]
    [InlineData(0.3, 2, ElementType.Fp32, ElementType.Fp16, ElementType.Fp16)]
    [InlineData(0.3, 1, ElementType.Fp16, ElementType.Fp32, null)]
    [InlineData(0.3, 12, ElementType.Fp16, ElementType.Fp16, null)]
    internal void Dropout_draws_the_same_words_from_any_place_of_its_site(
        double probability, long first, ElementType type, ElementType ofX, ElementType? ofResidual)
    {
        const int count = 1003;
        const ulong key = 0x1234_5678_9abc_def0;
        var x = TypedArray.Rounded(ofX, Numbers.Some(count, 3));
        var residual = TypedArray.Rounded(ofResidual ?? ofX, Numbers.Some(count, 4));
        var (expected, rate) = (new float[count], DropoutRate.Of(probability));
        using TypedArray from = new(ofX, x), add = new(ofResidual ?? ofX, residual), y = new(type, x);
        FakeGpu.Shared.Kernels(0).Dropout(y, from, ofResidual is null ? DeviceMemory.None : add, key, first, count, rate);
        fixed (float* xs = x, rs = residual, ys = expected)
            Dropout.Apply(ys, xs, ofResidual is null ? null : rs, key, first, count, rate);
        Numbers.AssertSameBits(TypedArray.Rounded(type, expected), y.Values);
    }

    // Where memory begins apart from the others, elements are moved one by one.
    [Theory]
    [InlineData(ElementType.Bf16, 0)]
    [InlineData(ElementType.Fp16, 0)]
    [InlineData(ElementType.Bf16, 3)]
    [InlineData(null, 0)]
    internal void AdamW_updates_parameters_moments_and_their_copy_in_16_bits(ElementType? type, int skew)
    {
        const int count = 3001;
        float[] p = Numbers.Some(count, 5), g = Numbers.Some(count, 6), m = new float[count], v = new float[count];
        g[7] = 1e-38f;                                                            // a moment that becomes zero
        float[] p2 = [.. p], m2 = [.. m], v2 = [.. v];
        var expected = p.Select(a => (double)a).ToArray();
        using var copy = new TypedArray(type ?? ElementType.Fp32, p, skew);
        var kernels = FakeGpu.Shared.Kernels(0);
        fixed (float* p0 = p, g0 = g, m0 = m, v0 = v, p1 = p2, m1 = m2, v1 = v2)
        {
            for (var number = 1; number <= 3; number++)
            {
                var step = new AdamWStep(number, 1e-3, 0.9, 0.95, 1e-8, 0.1, 0.5);
                kernels.AdamW(p0, g0, m0, v0, type is null ? DeviceMemory.None : copy, count, step);
                AdamWUpdate.Run(p1, g0, m1, v1, count, step);
            }
        }
        Numbers.AssertSameBits([.. p2, .. m2, .. v2], [.. p, .. m, .. v]);
        if (type is { } narrow)
            Numbers.AssertSameBits(TypedArray.Rounded(narrow, p), copy.Values);
        // Loshchilov and Hutter 2019, algorithm 2, in double precision: with equal gradients the moments' ratio is 1.
        for (var i = 0; i < count; i++)
            for (var number = 1; number <= 3; number++)
                expected[i] = expected[i] * (1 - 1e-4) - 1e-3 * g[i] * 0.5 / (Math.Abs(g[i] * 0.5) + 1e-8);
        Assert.All(Enumerable.Range(8, count - 8), i => Assert.Equal(expected[i], p[i], 1e-5));
    }

    [Fact]
    public void Types_that_no_kernel_takes_together_are_refused_by_name()
    {
        float x = 1;
        var kernels = FakeGpu.Shared.Kernels(0);
        DeviceMemory wide = &x, narrow = new((nint)(&x), ElementType.Bf16);
        Assert.Contains(
            "Bf16 where all it takes is Fp32",
            Assert.Throws<ArgumentException>(() => kernels.SwiGlu(wide, wide, narrow, 1)).Message, StringComparison.Ordinal);
        Assert.Contains(
            "scaled_sum_bf16_f32_bf16",
            Assert.Throws<ArgumentException>(() => kernels.ScaledSum(narrow, wide, narrow, 1, 1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Structures_have_the_size_that_the_compiler_gives_them()
    {
        Assert.Equal(9 * sizeof(float), (int)FakeGpu.Shared.SizeOf("step"));
        Assert.Equal(DeviceKernels.MaxRoots * (sizeof(long) + sizeof(int)) + sizeof(long), (int)FakeGpu.Shared.SizeOf("roots"));
    }

    private static void Compute<T>(float* y, float* dx, float* dy, float* x, int count)
        where T : struct, IActivation
    {
        Activations.Forward<T>(y, x, count);
        Activations.Backward<T>(dx, dy, x, count);
    }
}
