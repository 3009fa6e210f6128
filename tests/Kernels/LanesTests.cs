using System.Runtime.InteropServices;

namespace Elastic.Kernels.Tests;

public unsafe class LanesTests
{
    [Fact]
    public void Every_operation_has_the_same_bits_in_all_kinds_of_lanes()
    {
        var random = new Random(1);
        for (var i = 0; i < 200; i++)
        {
            float[] numbers = [.. Enumerable.Range(0, 64).Select(_ => Number(random))];
            Same(numbers);
        }
        Same([.. Enumerable.Range(0, 64).Select(i => i % 3 == 0 ? 0f : i % 3 == 1 ? -0f : 1f)]);
    }

    [Fact]
    public void Partial_loads_and_stores_touch_what_was_asked_for_and_fill_with_zeros()
    {
        foreach (var (kind, count) in LaneDispatch.Supported.SelectMany(k => Enumerable.Range(0, 17).Select(n => (k, n))))
        {
            float[] from = [.. Enumerable.Range(1, 16).Select(i => (float)i)], loaded = Filled(16), stored = Filled(20);
            Run(kind, new Partial(from, loaded, stored, count));
            Assert.Equal(from.Select((x, i) => i < count ? x : 0), loaded);
            Assert.Equal(Enumerable.Range(0, 20).Select(i => i < count ? from[i] : -9), stored);
        }
    }

    [Fact]
    public void Folds_add_by_halves()
    {
        var random = new Random(2);
        float[] x = [.. Enumerable.Range(0, 16).Select(_ => (float)random.NextDouble())], result = new float[3];
        float[] s = [.. x];
        for (var half = 8; half > 0; half /= 2)
        {
            for (var i = 0; i < half; i++)
                s[i] += s[i + half];
        }
        foreach (var kind in LaneDispatch.Supported)
        {
            Run(kind, new Folds(x, result));
            Assert.Equal([s[0], x.Max(), (float)x.Sum(v => (double)v)], result);
        }
    }

    private static void Same(float[] numbers)
    {
        var expected = Apply(LaneKind.Scalar);
        foreach (var kind in LaneDispatch.Supported)
            Assert.Equal(MemoryMarshal.Cast<float, uint>(expected), MemoryMarshal.Cast<float, uint>(Apply(kind)));

        float[] Apply(LaneKind kind)
        {
            var results = new float[16 * 40];
            Run(kind, new Operations(numbers, results));
            return results;
        }
    }

    private static void Run<TKernel>(LaneKind kind, TKernel kernel)
        where TKernel : struct, ILaneKernel
    {
        LaneDispatch.Force(kind);
        try
        {
            LaneDispatch.Run(kernel);
        }
        finally
        {
            LaneDispatch.Force(null);
        }
    }

    // Of all magnitudes that neither overflow nor underflow when three are combined.
    private static float Number(Random random)
        => (float)((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-12, 12)));

    private static float[] Filled(int count) => [.. Enumerable.Repeat(-9f, count)];

    private readonly struct Operations(float[] numbers, float[] results) : ILaneKernel
    {
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            fixed (float* x = numbers, y = results)
            {
                T a = T.Load(x), b = T.Load(x + 16), c = T.Load(x + 32), d = T.Load(x + 48);
                T[] all =
                [
                    a + b, a - b, a * b, a / (b + T.Broadcast(1e6f)), T.Fma(a, b, c), T.Sqrt(a * a), T.Max(a, b), T.Min(a, b),
                    T.GreaterThan(a, b), T.EqualTo(a, T.Max(a, b)), T.EqualBits(a, T.Min(a, b)), T.GreaterInt(a, b),
                    T.Select(T.GreaterThan(a, b), c, d), a & b, a | b, a ^ b, T.AddInt(a, b), T.SubtractInt(a, b), T.MultiplyInt(a, b),
                    T.MultiplyHigh(a, b), T.ShiftLeft(a, 5), T.ShiftRight(a, 7), T.ToSingle(a), T.Bits(12345), T.Broadcast(0.1f),
                    T.Broadcast(T.Fold(a)), T.Broadcast(T.FoldMax(b)), T.Broadcast(T.Get(a, 0) - T.Get(a, 7) + T.Get(a, 15)),
                    T.Broadcast((float)TWide.Fold(TWide.Add(TWide.AddSquares(TWide.AddProducts(TWide.Zero, a, b), c), d))),
                ];
                var (lower, upper) = T.Duplicate(a);
                T[] moved = [T.First(5), T.First(-3), T.First(12), T.First(20), T.SwapPairs(b), lower, upper];
                T.Transpose(ref a, ref b, ref c, ref d);
                T[] four = [a, b, c, d];
                var at = y;
                foreach (var lanes in all.Concat(moved).Concat(four))
                {
                    T.Store(lanes, at);
                    at += 16;
                }
                // The transposition's contract.
                for (var i = 0; i < 64; i++)
                    Assert.Equal(x[i / 4 % 4 * 4 + i / 16 + i % 4 * 16], at[i - 64]);
            }
        }
    }

    private readonly struct Partial(float[] from, float[] loaded, float[] stored, int count) : ILaneKernel
    {
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            fixed (float* x = from, y = loaded, z = stored)
            {
                T.Store(T.LoadFirst(x, count), y);
                T.StoreFirst(T.Load(x), z, count);
            }
        }
    }

    private readonly struct Folds(float[] from, float[] result) : ILaneKernel
    {
        public void Run<T, TWide>()
            where T : struct, ILanes<T>
            where TWide : struct, IWideLanes<TWide, T>
        {
            fixed (float* x = from)
            {
                var lanes = T.Load(x);
                (result[0], result[1], result[2]) = (T.Fold(lanes), T.FoldMax(lanes), (float)TWide.Fold(TWide.Add(TWide.Zero, lanes)));
            }
        }
    }
}
