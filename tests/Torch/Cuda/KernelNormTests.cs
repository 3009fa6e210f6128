using Elastic.Kernels;
using Elastic.Torch.Cuda;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>
/// Norms and their gradients, on the fake GPU: bit for bit what <c>Kernels</c> give, of 16 bits that rounded once, and close to double
/// precision.
/// </summary>
public sealed unsafe class KernelNormTests
{
    // Of what the norm makes, of what it reads; a narrow value is read where nothing wide is.
    [Theory]
    [InlineData(1, 1, true, true, ElementType.Fp32, ElementType.Fp32)]
    [InlineData(5, 16, false, true, ElementType.Fp32, ElementType.Fp32)]
    [InlineData(40, 100, true, true, ElementType.Fp32, ElementType.Fp32)]
    [InlineData(3, 1100, true, false, ElementType.Fp32, ElementType.Fp32)]
    [InlineData(20, 48, true, true, ElementType.Bf16, ElementType.Fp32)]
    [InlineData(20, 48, true, false, ElementType.Bf16, ElementType.Bf16)]
    [InlineData(20, 1041, false, true, ElementType.Bf16, ElementType.Bf16)]
    [InlineData(20, 48, true, false, ElementType.Fp16, ElementType.Fp32)]
    [InlineData(4, 33, false, true, ElementType.Fp16, ElementType.Fp16)]
    internal void Norms_of_sums_go_forwards_and_backwards(
        int rows, int columns, bool hasBranch, bool hasMeans, ElementType type, ElementType ofX)
    {
        var (count, partRows) = (rows * columns, rows % 5 == 0 ? 5 : 1);
        float[] x = TypedArray.Rounded(ofX, Numbers.Some(count, 1)), branch = TypedArray.Rounded(type, Numbers.Some(count, 2));
        float[] dy = TypedArray.Rounded(type, Numbers.Some(count, 3)), before = Numbers.Some(count, 4);
        float[] gain = Numbers.Some(columns, 6), bias = Numbers.Some(columns, 7);
        float[] sum = hasBranch ? [.. x.Zip(branch, (a, b) => a + b)] : x;
        // The gradient of a narrow value that one operation reads is narrow; else it is fp32, and what is there is added to.
        var ofDx = hasBranch ? ElementType.Fp32 : ofX;
        var adds = ofDx == ElementType.Fp32;
        using TypedArray from = new(ofX, x), other = new(type, branch), gradient = new(type, dy), y = new(type, new float[count]),
            added = new(ElementType.Fp32, new float[count]), dx = new(ofDx, before), narrow = new(type, new float[count]);
        float[] means = new float[rows], inverses = new float[rows], dGain = [.. gain], dBias = [.. bias];
        fixed (float* g = gain, b = bias, m = means, r = inverses, dg = dGain, db = dBias, sums = new float[2 * rows * columns])
        {
            var kernels = FakeGpu.Shared.Kernels(1);
            var ofBranch = hasBranch ? other.Memory : DeviceMemory.None;
            if (hasMeans)
                kernels.LayerNormForward(y, added.Floats, from, ofBranch, g, b, m, r, rows, columns, 1e-5f);
            else
                kernels.RmsNormForward(y, added.Floats, from, ofBranch, g, r, rows, columns, 1e-5f);
            kernels.NormBackward(new NormBackward
            {
                Dx = dx,
                AddsToDx = adds,
                NarrowDx = adds && type != ElementType.Fp32 ? narrow : DeviceMemory.None,
                Dy = gradient,
                X = hasBranch ? added : from,
                Gain = g,
                Means = hasMeans ? m : null,
                Inverses = r,
                Rows = rows,
                Columns = columns,
                GainGradient = dg,
                BiasGradient = hasMeans ? db : null,
                Sums = sums,
                PartRows = partRows,
            });
        }

        float[] expected = new float[count], m2 = new float[rows], r2 = new float[rows];
        float[] dx2 = [.. before], dg2 = [.. gain], db2 = [.. bias];
        fixed (float* s = sum, d = dy, g = gain, b = bias, into = expected, m = m2, r = r2, dxs = dx2, dgs = dg2, dbs = db2)
        {
            if (hasMeans)
            {
                LayerNorm.Forward(into, columns, s, columns, g, b, m, r, rows, columns, 1e-5f);
                LayerNorm.Backward(dxs, columns, d, columns, s, columns, g, m, r, rows, columns, adds);
            }
            else
            {
                RmsNorm.Forward(into, columns, s, columns, g, r, rows, columns, 1e-5f);
                RmsNorm.Backward(dxs, columns, d, columns, s, columns, g, r, rows, columns, adds);
            }
            NormGradients.Add(
                dgs, hasMeans ? dbs : null, d, columns, s, columns, hasMeans ? m : null, r, partRows, rows / partRows, columns, true);
        }
        Numbers.AssertSameBits(TypedArray.Rounded(type, expected), y.Values);
        Numbers.AssertSameBits([.. m2, .. r2], [.. means, .. inverses]);
        Numbers.AssertSameBits(TypedArray.Rounded(ofDx, dx2), dx.Values);
        Numbers.AssertSameBits([.. dg2, .. db2], [.. dGain, .. dBias]);
        if (hasBranch)
            Numbers.AssertSameBits(sum, added.Values);
        if (adds && type != ElementType.Fp32)
            Numbers.AssertSameBits(TypedArray.Rounded(type, dx2), narrow.Values);
        var row = sum.Take(columns).Select(a => (double)a).ToArray();
        var mean = hasMeans ? row.Average() : 0;
        var deviation = Math.Sqrt(row.Average(a => (a - mean) * (a - mean)) + 1e-5);
        for (var j = 0; j < columns; j++)
            Assert.Equal((row[j] - mean) / deviation * gain[j] + (hasMeans ? bias[j] : 0), expected[j], 1e-4);
    }

    [Fact]
    public void A_norm_gives_only_what_is_asked_for()
    {
        const int rows = 3, columns = 20;
        TypedArray Some(int count, int seed) => new(ElementType.Fp32, Numbers.Some(count, seed));
        using TypedArray x = Some(rows * columns, 1), dy = Some(rows * columns, 2), gain = Some(columns, 3), means = Some(rows, 4),
            inverses = Some(rows, 5), dx = Some(rows * columns, 6), expected = Some(rows * columns, 6), dGain = Some(columns, 7),
            expectedGain = Some(columns, 7), sums = Some(columns, 8);
        NormBackward Asked(DeviceMemory ofX, float* ofGain, bool adds = false) => new()
        {
            Dx = ofX,
            AddsToDx = adds,
            Dy = dy,
            X = x,
            Gain = gain.Floats,
            Means = means.Floats,
            Inverses = inverses.Floats,
            Rows = rows,
            Columns = columns,
            GainGradient = ofGain,
            Sums = sums.Floats,
            PartRows = rows,
        };
        var kernels = FakeGpu.Shared.Kernels(0);
        kernels.NormBackward(Asked(dx, null));
        kernels.NormBackward(Asked(DeviceMemory.None, dGain.Floats));
        Assert.Throws<ArgumentException>(() => kernels.NormBackward(Asked(new(dx.Memory.At, ElementType.Bf16), null, true)));
        LayerNorm.Backward(
            expected.Floats, columns, dy.Floats, columns, x.Floats, columns, gain.Floats, means.Floats, inverses.Floats, rows, columns,
            false);
        NormGradients.Add(
            expectedGain.Floats, null, dy.Floats, columns, x.Floats, columns, means.Floats, inverses.Floats, rows, 1, columns, true);
        Numbers.AssertSameBits(expected.Values, dx.Values);
        Numbers.AssertSameBits(expectedGain.Values, dGain.Values);
    }
}
