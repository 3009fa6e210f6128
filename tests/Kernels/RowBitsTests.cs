using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Elastic.Bench;

namespace Elastic.Kernels.Tests;

// The bits of the row kernels, written down once. They are the same on every processor; other bits here are another arithmetic.
public unsafe class RowBitsTests
{
    private const int Rows = 12, Columns = 203, Parts = 3, PartRows = Rows / Parts, Count = Rows * Columns;

    [Fact]
    public void All_row_kernels_have_the_bits_that_are_written_down()
        => Assert.Equal("ee8aa16fd33ceb16", Digest<float>(AllKinds.Same<float>(() => [.. Everything()])));

    [Fact]
    public void All_elementary_functions_have_the_bits_that_are_written_down()
        => Assert.Equal("066488210656feb3", Digest<float>(AllKinds.Same<float>(() => [.. Functions()])));

    [Fact]
    public void Functions_in_double_precision_have_the_bits_that_are_written_down()
    {
        var random = new KeyedRandom(3);
        var results = new List<double>();
        for (var i = 0UL; i < 5000; i++)
        {
            var x = 2000 * random.Uniform(i) - 1000;
            var (sin, cos) = Elementary.SinCos(1000 * x);
            results.AddRange([Elementary.Exp(x / 2), Elementary.Log(Math.Abs(x)), Elementary.Pow(0.999, Math.Abs(x)), sin, cos]);
        }
        Assert.Equal("b298b44de1c0603d", Digest<double>([.. results]));
    }

    // Sixteen digits of it: the runner cuts longer ones off.
    internal static string Digest<T>(T[] values)
        where T : unmanaged
        => Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes<T>(values)))[..16];

    private static List<float> Functions()
    {
        var random = new KeyedRandom(2);
        var x = new float[8192];
        // All finite bit patterns alike: every exponent comes.
        for (var i = 0; i < x.Length; i++)
        {
            var value = BitConverter.UInt32BitsToSingle((uint)random.Word((ulong)i));
            x[i] = float.IsFinite(value) ? value : 1;
        }
        var results = new List<float>();
        foreach (var function in ElementaryFunction.All)
        {
            var y = new float[x.Length];
            function.Apply(x, y);
            results.AddRange(y.Where((_, i) => function.IsDomain(x[i])));
        }
        return results;
    }

    private static List<float> Everything()
    {
        using var arena = new Arena();
        var results = new List<float>();
        float* x = Numbers(1, Count), dy = Numbers(2, Count), gain = Numbers(3, Columns), bias = Numbers(4, Columns),
            y = arena.Floats(Count), dx = arena.Floats(Count), ofGain = arena.Floats(Columns), ofBias = arena.Floats(Columns),
            means = arena.Floats(Rows), inverses = arena.Floats(Rows);

        LayerNorm.Forward(y, Columns, x, Columns, gain, bias, means, inverses, Rows, Columns, 1e-5f);
        LayerNorm.Backward(dx, Columns, dy, Columns, x, Columns, gain, means, inverses, Rows, Columns, false);
        NormGradients.Add(ofGain, ofBias, dy, Columns, x, Columns, means, inverses, PartRows, Parts, Columns, false);
        Take((nint)y, (nint)dx, (nint)ofGain, (nint)ofBias);
        RmsNorm.Forward(y, Columns, x, Columns, gain, inverses, Rows, Columns, 1e-5f);
        RmsNorm.Backward(dx, Columns, dy, Columns, x, Columns, gain, inverses, Rows, Columns, false);
        NormGradients.Add(ofGain, null, dy, Columns, x, Columns, null, inverses, PartRows, Parts, Columns, false);
        ColumnSums.Add(ofBias, dy, Columns, PartRows, PartRows * Columns, Parts, Columns, false);
        Take((nint)y, (nint)dx, (nint)ofGain, (nint)ofBias);
        Activate<GeluTanh>();
        Activate<GeluErf>();
        Activate<Silu>();
        Activations.SwiGlu(y, Columns, x, Columns, dy, Columns, Rows, Columns);
        Activations.SwiGluBackward(dx, Columns, dx, Columns, dy, Columns, x, Columns, y, Columns, Rows, Columns);
        Take((nint)y, (nint)dx);
        Dropout.Apply(y, x, dy, Dropout.Key(1, 2, 3, 4, 5, 6, 7), 1_000_003, Count, DropoutRate.Of(0.1));
        Take((nint)y);

        var losses = (double*)arena.Floats(2 * Rows);
        var targets = stackalloc int[Rows];
        for (var i = 0; i < Rows; i++)
            targets[i] = 17 * i;
        Ranges.Scale(y, x, 9, Count);
        CrossEntropy.Rows(y, Columns, Rows, Columns - 3, Columns, 64, targets, gain, 0.1, 0.01, losses);
        Take((nint)y);
        results.AddRange(Arena.Read((float*)losses, 2 * Rows));

        const int pairs = 20, heads = 5;
        float* cosines = arena.Floats(Rows * pairs), sines = arena.Floats(Rows * pairs);
        var frequencies = stackalloc double[pairs];
        Rotary.InverseFrequencies(frequencies, pairs, 10_000);
        Rotary.FillTables(cosines, sines, 5000, Rows, frequencies, pairs);
        var positions = stackalloc int[Rows];
        for (var i = 0; i < Rows; i++)
            positions[i] = Rows - 1 - i;
        Ranges.Copy(y, x, Count);
        Rotary.Rotate(y, Columns, Rows, heads, 2 * pairs, positions, cosines, sines, pairs, RotaryLayout.Halves, false);
        Rotary.Rotate(y, Columns, Rows, heads, 2 * pairs, positions, cosines, sines, pairs, RotaryLayout.Pairs, true);
        Take((nint)y);

        var workspace = stackalloc int[EmbeddingPlan.WorkspaceInts(Rows)];
        for (var i = 0; i < Rows; i++)
            targets[i] = i * i % 7;
        var plan = EmbeddingPlan.Build(workspace, targets, Rows, 7);
        Embedding.AddGradients(y, plan, 0, plan.Count, dy, PartRows, Parts, Columns);
        Take((nint)y);
        var sum = Norms.SumOfSquares(x, Count);
        results.AddRange(Arena.Read((float*)&sum, 2));
        return results;

        void Activate<TActivation>()
            where TActivation : struct, IActivation
        {
            Activations.Forward<TActivation>(y, x, Count);
            Activations.Backward<TActivation>(dx, dy, x, Count);
            Take((nint)y, (nint)dx);
        }

        void Take(params ReadOnlySpan<nint> memories)
        {
            foreach (var memory in memories)
                results.AddRange(Arena.Read((float*)memory, memory == (nint)ofGain || memory == (nint)ofBias ? Columns : Count));
        }

        float* Numbers(ulong key, int count)
        {
            var memory = arena.Floats(count);
            for (var i = 0; i < count; i++)
                memory[i] = (float)(2 * new KeyedRandom(key).Uniform((ulong)i) - 1);
            return memory;
        }
    }
}
