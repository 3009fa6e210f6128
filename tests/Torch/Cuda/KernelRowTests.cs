using Elastic.Kernels;
using Elastic.Torch.Cuda;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>Kernels over rows, on the fake GPU: bit for bit what <c>Kernels</c> give, and close to double precision.</summary>
public sealed unsafe class KernelRowTests
{
    [Theory]
    [InlineData(1, 1, 1, 0)]
    [InlineData(40, 48, 40, 0.1)]
    [InlineData(1500, 1504, 1500, 0)]
    [InlineData(5000, 5000, 1100, 0.1)]
    [InlineData(40000, 40000, 40000, 0)]
    public void Logits_become_losses_and_gradients_in_place(int vocabulary, int padded, int partLength, double smoothing)
    {
        const int rows = 3;
        var z = Numbers.Some(rows * padded, 1, 30);
        int[] targets = [0, vocabulary - 1, vocabulary / 2];
        float[] weights = [1, 0, 0.5f], theirs = [.. z];
        double[] ours = new double[rows], expected = new double[rows], only = new double[rows];
        var gradient = z.ToArray();
        fixed (float* into = gradient, other = theirs, w = weights)
        fixed (int* t = targets)
        fixed (double* losses = ours, reference = expected, evaluated = only)
        {
            var kernels = FakeGpu.Shared.Kernels(0);
            kernels.CrossEntropyRows(into, padded, rows, vocabulary, padded, partLength, t, w, 0, 7, false, evaluated);
            Numbers.AssertSameBits(z, gradient);
            CrossEntropy.Losses(other, padded, rows, vocabulary, partLength, t, w, 0, reference);
            Assert.Equal(expected, only);
            kernels.CrossEntropyRows(into, padded, rows, vocabulary, padded, partLength, t, w, smoothing, 7, true, losses);
            CrossEntropy.Rows(other, padded, rows, vocabulary, padded, partLength, t, w, smoothing, 7, reference);
        }
        Assert.Equal(expected, ours);
        Numbers.AssertSameBits(theirs, gradient);

        // Softmax in double precision.
        var row = z.Take(vocabulary).Select(v => (double)v).ToArray();
        var (largest, target) = (row.Max(), row[targets[0]]);
        var sum = row.Sum(v => Math.Exp(v - largest));
        Assert.Equal(largest + Math.Log(sum) - (1 - smoothing) * target - smoothing * row.Average(), ours[0], 1e-4);
        for (var i = 0; i < vocabulary; i++)
            Assert.Equal(
                7 * (Math.Exp(row[i] - largest) / sum - (i == targets[0] ? 1 - smoothing : 0) - smoothing / vocabulary), gradient[i], 1e-5);
    }

    // Rows that begin where eight can be moved at once or not, behind which are columns without a token; logits near each other, far below
    // the largest one, and infinitely so.
    [Theory]
    [InlineData(ElementType.Bf16, 1500, 1500, 0, 10, 0.1)]
    [InlineData(ElementType.Bf16, 1503, 1503, 1, 10, 0.1)]
    [InlineData(ElementType.Bf16, 2505, 2512, 0, 10, 0)]
    [InlineData(ElementType.Bf16, 2505, 2512, 0, 160, 0)]
    [InlineData(ElementType.Bf16, 2505, 2512, 3, 160, 0)]
    [InlineData(ElementType.Bf16, 2049, 2056, 0, double.PositiveInfinity, 0)]
    [InlineData(ElementType.Fp32, 2051, 2056, 0, 160, 0)]
    internal void Logits_of_16_bits_give_the_same_losses_and_gradients_rounded_once(
        ElementType type, int vocabulary, int padded, int skew, double most, double smoothing)
    {
        const int rows = 2;
        var wide = TypedArray.Rounded(type, Numbers.Some(rows * padded, 2, Math.Min(most, 30)));
        if (double.IsInfinity(most))
            wide[5] = wide[padded + 2040] = float.NegativeInfinity;
        else
            wide[7] = wide[padded + 1030] = (float)-most;
        using var narrow = new TypedArray(type, wide, skew);
        double[] ours = new double[rows], theirs = new double[rows];
        fixed (float* other = wide)
        fixed (int* t = new[] { 3, 1400 })
        fixed (double* losses = ours, reference = theirs)
        {
            FakeGpu.Shared.Kernels(0).CrossEntropyRows(
                narrow, padded, rows, vocabulary, padded, vocabulary, t, null, smoothing, 0.25, true, losses);
            CrossEntropy.Rows(other, padded, rows, vocabulary, padded, vocabulary, t, null, smoothing, 0.25, reference);
        }
        Assert.Equal(theirs, ours);
        Assert.All(ours, loss => Assert.True(double.IsFinite(loss)));
        Numbers.AssertSameBits(TypedArray.Rounded(type, wide), narrow.Values);
    }

    [Theory]
    [InlineData(ElementType.Fp32, 8, 0)]
    [InlineData(ElementType.Fp32, 3, 0)]
    [InlineData(ElementType.Bf16, 8, 0)]
    [InlineData(ElementType.Bf16, 6, 2)]
    [InlineData(ElementType.Fp16, 8, 1)]
    internal void Heads_turn_by_their_rows_places_and_back(ElementType type, int pairs, int behind)
    {
        const int rows = 14, heads = 3, length = 7;
        var stride = heads * 2 * pairs + behind;
        var x = TypedArray.Rounded(type, Numbers.Some(rows * stride, 1));
        float[] forward = [.. x], cosines = new float[length * pairs], sines = new float[length * pairs];
        using TypedArray turned = new(type, x), back = new(type, x);
        fixed (float* xs = x, f = forward, c = cosines, s = sines)
        fixed (int* positions = Enumerable.Range(0, rows).Select(r => r % length).ToArray())
        fixed (double* frequencies = Enumerable.Range(0, pairs).Select(j => 1.0 / (j + 1)).ToArray())
        {
            Rotary.FillTables(c, s, 0, length, frequencies, pairs);
            var kernels = FakeGpu.Shared.Kernels(0);
            kernels.Rotate(turned, stride, rows, heads, length, c, s, pairs, false);
            kernels.Rotate(back, stride, rows, heads, length, c, s, pairs, true);
            Rotary.Rotate(f, stride, rows, heads, 2 * pairs, positions, c, s, pairs, RotaryLayout.Halves, false);
            Rotary.Rotate(xs, stride, rows, heads, 2 * pairs, positions, c, s, pairs, RotaryLayout.Halves, true);
        }
        Numbers.AssertSameBits(TypedArray.Rounded(type, forward), turned.Values);
        Numbers.AssertSameBits(TypedArray.Rounded(type, x), back.Values);
    }

    [Theory]
    [InlineData(8, true, 1)]
    [InlineData(7, true, 1)]
    [InlineData(8, false, 1)]
    [InlineData(12, true, 2.5)]
    public void Rows_of_tables_are_those_of_tokens_and_places(int columns, bool hasPositions, float scale)
    {
        const int rows = 10, length = 5, vocabulary = 9;
        int[] tokens = [3, 0, 8, 8, 1, 2, 7, 5, 4, 6], places = [.. Enumerable.Range(0, rows).Select(r => r % length)];
        float[] table = Numbers.Some(vocabulary * columns, 1), at = Numbers.Some(length * columns, 2), expected = new float[rows * columns];
        using TypedArray tokenTable = new(ElementType.Fp32, table), positions = new(ElementType.Fp32, at),
            y = new(ElementType.Fp32, expected);
        fixed (int* t = tokens, p = places)
        fixed (float* from = table, add = at, into = expected)
        {
            FakeGpu.Shared.Kernels(0).Embed(
                y.Floats, tokenTable.Floats, t, hasPositions ? positions.Floats : null, length, rows, columns, scale);
            if (scale == 1)
                Embedding.Gather(into, from, t, hasPositions ? add : null, p, rows, columns);
            else
                for (var row = 0; row < rows; row++)
                    Ranges.AddScaled(into + row * columns, add + p[row] * columns, from + t[row] * columns, scale, columns);
        }
        Numbers.AssertSameBits(expected, y.Values);
    }
}
