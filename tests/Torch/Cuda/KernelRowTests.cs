using Elastic.Kernels;

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
            kernels.CrossEntropyRows(into, false, padded, rows, vocabulary, padded, partLength, t, w, 0, 7, false, evaluated);
            Numbers.AssertSameBits(z, gradient);
            CrossEntropy.Losses(other, padded, rows, vocabulary, partLength, t, w, 0, reference);
            Assert.Equal(expected, only);
            kernels.CrossEntropyRows(into, false, padded, rows, vocabulary, padded, partLength, t, w, smoothing, 7, true, losses);
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

    [Fact]
    public void Logits_in_bf16_give_the_same_losses_and_gradients_rounded_once()
    {
        const int rows = 2, vocabulary = 1500;
        var narrow = Numbers.Narrow(Numbers.Some(rows * vocabulary, 2, 10));
        var wide = Numbers.Widen(narrow);
        double[] ours = new double[rows], theirs = new double[rows];
        fixed (ushort* into = narrow)
        fixed (float* other = wide)
        fixed (int* t = new[] { 3, 1400 })
        fixed (double* losses = ours, reference = theirs)
        {
            FakeGpu.Shared.Kernels(0).CrossEntropyRows(
                into, true, vocabulary, rows, vocabulary, vocabulary, vocabulary, t, null, 0.1, 0.25, true, losses);
            CrossEntropy.Rows(other, vocabulary, rows, vocabulary, vocabulary, vocabulary, t, null, 0.1, 0.25, reference);
        }
        Assert.Equal(theirs, ours);
        Assert.Equal(Numbers.Narrow(wide), narrow);
    }

    [Theory]
    [InlineData(1, 1, true)]
    [InlineData(5, 16, false)]
    [InlineData(40, 100, true)]
    public void Norms_of_sums_go_forwards_and_backwards(int rows, int columns, bool hasBranch)
    {
        int[] seeds = [1, 2, 3, 4, 5];
        var numbers = seeds.Select(s => Numbers.Some(rows * columns, s)).ToArray();
        float[] gain = Numbers.Some(columns, 6), bias = Numbers.Some(columns, 7);
        float[] sum = hasBranch ? [.. numbers[0].Zip(numbers[1], (a, b) => a + b)] : numbers[0];
        float[] y = new float[rows * columns], y2 = [.. y], added = [.. y], dx = numbers[3], dx2 = [.. dx];
        float[] m = new float[rows], m2 = [.. m], v = [.. m], v2 = [.. m];
        float[] dGain = new float[columns], dBias = [.. dGain], dGain2 = [.. dGain], dBias2 = [.. dGain];
        fixed (float* x = numbers[0], branch = numbers[1], s = sum, dy = numbers[2], g = gain, b = bias, ours = y, theirs = y2,
            into = added, m1 = m, mo = m2, i1 = v, io = v2, d1 = dx, d2 = dx2, dg = dGain, db = dBias, dgo = dGain2, dbo = dBias2,
            parts = new float[2 * rows * columns])
        {
            var kernels = FakeGpu.Shared.Kernels(1);
            kernels.LayerNormForward(ours, into, x, hasBranch ? branch : null, g, b, m1, i1, rows, columns, 1e-5f);
            LayerNorm.Forward(theirs, columns, s, columns, g, b, mo, io, rows, columns, 1e-5f);
            kernels.LayerNormBackward(d1, dy, s, g, m1, i1, rows, columns, hasBranch);
            LayerNorm.Backward(d2, columns, dy, columns, s, columns, g, mo, io, rows, columns, hasBranch);
            var partRows = rows % 5 == 0 ? 5 : 1;
            kernels.NormGradients(dg, db, parts, dy, s, m1, i1, rows, partRows, columns);
            NormGradients.Add(dgo, dbo, dy, columns, s, columns, mo, io, partRows, rows / partRows, columns, false);
        }
        Numbers.AssertSameBits(y2, y);
        Numbers.AssertSameBits([.. m2, .. v2], [.. m, .. v]);
        Numbers.AssertSameBits(dx2, dx);
        Numbers.AssertSameBits([.. dGain2, .. dBias2], [.. dGain, .. dBias]);
        if (hasBranch)
            Numbers.AssertSameBits(sum, added);
        var row = sum.Take(columns).Select(a => (double)a).ToArray();
        var deviation = Math.Sqrt(row.Average(a => (a - row.Average()) * (a - row.Average())) + 1e-5);
        for (var j = 0; j < columns; j++)
            Assert.Equal((row[j] - row.Average()) / deviation * gain[j] + bias[j], y[j], 1e-4);
    }
}
