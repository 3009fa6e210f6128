using System.Runtime.InteropServices;

namespace Elastic.Kernels.Tests;

/// <summary>Memory for kernels. What is written behind the end of a piece fails the test.</summary>
internal sealed unsafe class Arena : IDisposable
{
    private const int Guard = 16;
    private const float Untouched = -1.2345e30f;
    private readonly List<(nint Memory, int Floats)> _pieces = [];

    /// <summary>Floats of a value that no kernel may depend on.</summary>
    public float* Floats(int count, float value = -777)
    {
        var memory = (float*)NativeMemory.AlignedAlloc((nuint)((count + Guard) * sizeof(float)), 64);
        new Span<float>(memory, count).Fill(value);
        new Span<float>(memory + count, Guard).Fill(Untouched);
        _pieces.Add(((nint)memory, count));
        return memory;
    }

    /// <summary>Uniform numbers from [shift - scale, shift + scale).</summary>
    public float* Random(int seed, int count, double scale = 1, double shift = 0)
    {
        var random = new Random(seed);
        var memory = Floats(count);
        for (var i = 0; i < count; i++)
            memory[i] = (float)(shift + scale * (2 * random.NextDouble() - 1));
        return memory;
    }

    /// <summary>A copy.</summary>
    public float* Of(params ReadOnlySpan<float> values)
    {
        var memory = Floats(values.Length);
        values.CopyTo(new Span<float>(memory, values.Length));
        return memory;
    }

    /// <summary>A copy.</summary>
    public int* Ints(params ReadOnlySpan<int> values)
    {
        var memory = (int*)Floats(values.Length);
        values.CopyTo(new Span<int>(memory, values.Length));
        return memory;
    }

    /// <summary>What stands there.</summary>
    public static float[] Read(float* memory, int count) => new ReadOnlySpan<float>(memory, count).ToArray();

    public void Dispose()
    {
        foreach (var (memory, count) in _pieces)
        {
            var guard = new ReadOnlySpan<float>((float*)memory + count, Guard);
            var isWhole = !guard.ContainsAnyExcept(Untouched);
            NativeMemory.AlignedFree((void*)memory);
            Assert.True(isWhole, $"something was written behind the end of {count} floats");
        }
    }
}

/// <summary>Comparison with double precision.</summary>
internal static class Reference
{
    /// <summary>|actual - exact| &lt;= k 2^-24 times the sum of the magnitudes of the terms that make the result.</summary>
    public static void Close(double actual, double exact, double magnitude, double k, string what)
    {
        var units = Math.Abs(actual - exact) / (magnitude * Math.Pow(2, -24));
        Assert.True(units <= k || actual == exact, $"{what}: {actual} instead of {exact}, {units:F2} units, not {k}");
    }
}
