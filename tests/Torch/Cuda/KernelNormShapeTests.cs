using Elastic.Kernels;
using Elastic.Torch.Cuda;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>
/// Norms of rows of any length, on the fake GPU: side by side in a block, one for a block, too long for shared memory, or at places from
/// which nothing can be moved by fours; and of each choice of results. Bit for bit what <c>Kernels</c> give.
/// </summary>
public sealed unsafe class KernelNormShapeTests
{
    private static readonly DeviceKernels Ours = FakeGpu.Shared.Kernels(0);

    // Of rows, columns, rows of a part, and how many elements everything begins behind an aligned place.
    [Theory]
    [InlineData(150, 64, 128, 0, ElementType.Bf16, ElementType.Bf16, ElementType.Bf16)]
    [InlineData(70, 100, 64, 0, ElementType.Fp32, ElementType.Fp16, ElementType.Fp16)]
    [InlineData(21, 66, 16, 0, ElementType.Fp32, ElementType.Bf16, ElementType.Fp32)]
    [InlineData(37, 768, 32, 0, ElementType.Fp32, ElementType.Bf16, ElementType.Fp32)]
    [InlineData(19, 768, 16, 1, ElementType.Fp32, ElementType.Bf16, ElementType.Fp32)]
    [InlineData(19, 768, 16, 0, ElementType.Fp32, ElementType.Fp32, ElementType.Fp32)]
    [InlineData(9, 1000, 16, 0, ElementType.Fp32, ElementType.Fp16, ElementType.Fp32)]
    [InlineData(17, 1024, 16, 0, ElementType.Bf16, ElementType.Bf16, ElementType.Bf16)]
    [InlineData(6, 2500, 4, 0, ElementType.Fp32, ElementType.Bf16, ElementType.Fp32)]
    [InlineData(3, 5000, 16, 0, ElementType.Fp32, ElementType.Bf16, ElementType.Fp32)]
    [InlineData(2, 9000, 16, 0, ElementType.Fp32, ElementType.Bf16, ElementType.Bf16)]
    [InlineData(17, 13000, 32, 0, ElementType.Fp32, ElementType.Bf16, ElementType.Fp32)]
    internal void Rows_of_any_length(
        int rows, int columns, int partRows, int skew, ElementType ofDx, ElementType type, ElementType ofX)
    {
        foreach (var isAll in new[] { true, false })
            new Norm(rows, columns, partRows, skew, ofDx, type, ofX)
            {
                HasMeans = isAll,
                HasBias = isAll,
                HasBranch = isAll && ofX == ElementType.Fp32,
                HasDx = true,
                Adds = isAll && ofDx == ElementType.Fp32,
                IsNarrow = isAll && ofDx != type,
                IsTrained = true,
                IsBranchSummed = true,
            }.AssertIsRight();
    }

    [Theory]
    [InlineData(10, 20)]
    [InlineData(3, 516)]
    [InlineData(3, 13)]
    public void Each_choice_of_results(int rows, int columns)
    {
        for (var choice = 0; choice < 256; choice++)
        {
            bool Is(int bit) => (choice >> bit & 1) == 1;
            var norm = new Norm(rows, columns, 8, 0, ElementType.Fp32, ElementType.Bf16, ElementType.Fp32)
            {
                HasMeans = Is(0),
                HasBias = Is(1),
                HasBranch = Is(2),
                HasDx = Is(3),
                Adds = Is(4),
                IsNarrow = Is(5),
                IsTrained = Is(6),
                IsBranchSummed = Is(7),
            };
            if (norm.HasDx || norm is { Adds: false, IsNarrow: false, IsBranchSummed: false, IsTrained: true })
                norm.AssertIsRight();
        }
    }

    [Fact]
    public void A_branch_that_gets_what_is_not_made_is_refused() => Assert.Contains(
        "is made of dx",
        Assert.Throws<ArgumentException>(() => new Norm(2, 4, 2, 0, ElementType.Fp32, ElementType.Bf16, ElementType.Fp32)
        {
            IsNarrow = true,
        }.AssertIsRight()).Message,
        StringComparison.Ordinal);

    private sealed class Norm(int rows, int columns, int partRows, int skew, ElementType ofDx, ElementType type, ElementType ofX)
    {
        private const float Epsilon = 1e-5f;

        public bool HasMeans { get; init; }
        public bool HasBias { get; init; }
        public bool HasBranch { get; init; }
        public bool HasDx { get; init; }
        public bool Adds { get; init; }
        public bool IsNarrow { get; init; }
        public bool IsTrained { get; init; }
        public bool IsBranchSummed { get; init; }

        private int Count => rows * columns;
        private int Parts => DeviceKernels.Parts(rows, partRows);

        public void AssertIsRight()
        {
            float[] x = Some(ofX, Count, 1), branch = Some(type, Count, 2), dy = Some(type, Count, 3), before = Some(ofDx, Count, 4),
                gain = Some(ElementType.Fp32, columns, 5), bias = Some(ElementType.Fp32, columns, 6);
            float[] sum = HasBranch ? [.. x.Zip(branch, (a, b) => a + b)] : x;
            using TypedArray here = new(ofX, x, skew), added = new(type, branch, skew), gradient = new(type, dy, skew),
                y = new(type, new float[Count], skew), sums = Floats(new float[Count]), dx = new(ofDx, before, skew),
                narrow = new(type, new float[Count], skew), scale = Floats(gain), shift = Floats(bias), means = Floats(new float[rows]),
                inverses = Floats(new float[rows]), dGain = Floats(gain), dBias = Floats(bias), dBranch = Floats(bias),
                memory = Floats(new float[3 * Parts * columns]);
            Ours.LayerNormForward(
                y, HasBranch ? sums.Floats : null, here, HasBranch ? added : DeviceMemory.None, scale.Floats,
                HasBias ? shift.Floats : null, HasMeans ? means.Floats : null, inverses.Floats, rows, columns, Epsilon);
            Ours.NormBackward(new NormBackward
            {
                Dx = HasDx ? dx : DeviceMemory.None,
                AddsToDx = Adds,
                NarrowDx = IsNarrow ? narrow : DeviceMemory.None,
                Dy = gradient,
                X = HasBranch ? sums : here,
                Gain = scale.Floats,
                Means = HasMeans ? means.Floats : null,
                Inverses = inverses.Floats,
                Rows = rows,
                Columns = columns,
                GainGradient = IsTrained ? dGain.Floats : null,
                BiasGradient = IsTrained && HasBias ? dBias.Floats : null,
                BranchBiasGradient = IsBranchSummed ? dBranch.Floats : null,
                Sums = memory.Floats,
                PartRows = partRows,
            });

            // The last part of the sums is a whole one here, of zeros where rows end.
            var padded = Parts * partRows;
            float[] y2 = new float[Count], m = new float[padded], r = new float[padded], d = [.. before];
            float[] dg = [.. gain], db = [.. bias], of = [.. bias];
            Array.Resize(ref sum, padded * columns);
            Array.Resize(ref dy, padded * columns);
            fixed (float* s = sum, g = dy, w = gain, b = bias, into = y2, mean = m, inverse = r, dxs = d, dgs = dg, dbs = db)
            {
                Forward(into, s, w, HasBias ? b : null, mean, inverse);
                if (HasMeans)
                    LayerNorm.Backward(dxs, columns, g, columns, s, columns, w, mean, inverse, rows, columns, Adds);
                else
                    RmsNorm.Backward(dxs, columns, g, columns, s, columns, w, inverse, rows, columns, Adds);
                NormGradients.Add(
                    dgs, dbs, g, columns, s, columns, HasMeans ? mean : null, inverse, partRows, Parts, columns, true);
            }
            Numbers.AssertSameBits(TypedArray.Rounded(type, y2), y.Values);
            Numbers.AssertSameBits([.. m[..rows], .. r[..rows]], [.. means.Values, .. inverses.Values]);
            if (HasBranch)
                Numbers.AssertSameBits(sum[..Count], sums.Values);
            Numbers.AssertSameBits(HasDx ? TypedArray.Rounded(ofDx, d) : before, dx.Values);
            Numbers.AssertSameBits(IsNarrow ? TypedArray.Rounded(type, d) : new float[Count], narrow.Values);
            Numbers.AssertSameBits(IsTrained ? dg : gain, dGain.Values);
            Numbers.AssertSameBits(IsTrained && HasBias ? db : bias, dBias.Values);
            if (!IsBranchSummed)
                return;
            var counted = TypedArray.Rounded(IsNarrow ? type : ofDx, d);
            Array.Resize(ref counted, padded * columns);
            fixed (float* from = counted, into = of)
                ColumnSums.Add(into, from, columns, partRows, (long)partRows * columns, Parts, columns, true);
            Numbers.AssertSameBits(of, dBranch.Values);
        }

        private static float[] Some(ElementType type, int count, int seed) => TypedArray.Rounded(type, Numbers.Some(count, seed));

        private TypedArray Floats(float[] values) => new(ElementType.Fp32, values, skew);

        // A root mean square norm has no bias in Kernels; the GPU's adds one where it gets one, in the same fused multiply-add.
        private void Forward(float* y, float* x, float* gain, float* bias, float* means, float* inverses)
        {
            if (HasMeans)
                LayerNorm.Forward(y, columns, x, columns, gain, bias, means, inverses, rows, columns, Epsilon);
            else
                RmsNorm.Forward(y, columns, x, columns, gain, inverses, rows, columns, Epsilon);
            for (var i = 0; i < Count && !HasMeans && bias is not null; i++)
                y[i] = MathF.FusedMultiplyAdd(x[i] * inverses[i / columns], gain[i % columns], bias[i % columns]);
        }
    }
}
