using Elastic.Torch.Cuda;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>
/// Kernels that sum the columns of what they make, on the fake GPU: bit for bit what one kernel makes and <c>column_sums</c> sums after it.
/// Of whole and of shorter last parts, of columns that are no multiple of four, and of memory that begins anywhere.
/// </summary>
public sealed unsafe class KernelMadeSumTests
{
    private static readonly DeviceKernels Ours = FakeGpu.Shared.Kernels(0);

    [Theory]
    [InlineData(ActivationKind.GeluTanh, ElementType.Fp32, 37, 16, 12, 0)]
    [InlineData(ActivationKind.GeluTanh, ElementType.Bf16, 48, 16, 132, 0)]
    [InlineData(ActivationKind.GeluErf, ElementType.Fp16, 21, 4, 7, 0)]
    [InlineData(ActivationKind.Relu, ElementType.Bf16, 5, 128, 8, 3)]
    [InlineData(ActivationKind.GeluErf, ElementType.Fp32, 1, 16, 1, 1)]
    [InlineData(ActivationKind.GeluTanh, ElementType.Fp16, 300, 1, 4, 0)]
    [InlineData(ActivationKind.GeluTanh, ElementType.Bf16, 37, 16, 24, 0)]
    [InlineData(ActivationKind.GeluErf, ElementType.Fp32, 1, 16, 8, 0)]
    internal void An_activations_gradient(ActivationKind kind, ElementType type, int rows, int partRows, int columns, int skew)
    {
        var count = rows * columns;
        using TypedArray x = new(type, Numbers.Some(count, 1, 4), skew), dy = new(type, Numbers.Some(count, 2), skew),
            dx = new(type, new float[count], skew), apart = new(type, new float[count], skew);
        using var sums = new Sums(rows, partRows, columns);
        Ours.ActivateBackward(kind, dx, dy, x, sums.Made);
        Ours.ActivateBackward(kind, apart, dy, x, count);
        Numbers.AssertSameBits(apart.Values, dx.Values);
        sums.AssertAre(apart);
    }

    [Theory]
    [InlineData(ElementType.Bf16, 40, 16, 16, 8, 0)]
    [InlineData(ElementType.Fp16, 19, 4, 12, 12, 0)]
    [InlineData(ElementType.Fp32, 7, 16, 5, 3, 0)]
    [InlineData(ElementType.Bf16, 33, 16, 8, 4, 1)]
    internal void Matrices_side_by_side(ElementType type, int rows, int partRows, int first, int others, int skew)
    {
        float[] a = TypedArray.Rounded(type, Numbers.Some(rows * first, 1)), b = TypedArray.Rounded(type, Numbers.Some(rows * others, 2)),
            c = TypedArray.Rounded(type, Numbers.Some(rows * others, 3));
        var columns = first + 2 * others;
        static IEnumerable<float> Row(float[] x, int row, int width) => x.Skip(row * width).Take(width);
        float[] all = [.. Enumerable.Range(0, rows).SelectMany(
            r => Row(a, r, first).Concat(Row(b, r, others)).Concat(Row(c, r, others)))];
        using TypedArray q = new(type, a, skew), k = new(type, b, skew), v = new(type, c), y = new(type, new float[all.Length]),
            alone = new(type, new float[all.Length]);
        using var sums = new Sums(rows, partRows, columns);
        Ours.Pack(y, q, k, v, first, others, sums.Made);
        Ours.Pack(alone, q, k, v, first, others, KernelSumTests.Into(null, null, rows, partRows, columns));
        Numbers.AssertSameBits(all, y.Values);
        Numbers.AssertSameBits(all, alone.Values);
        sums.AssertAre(y);
    }

    // Of dx, of what the norm made, of what it read; whether what a branch gets is rounded apart, and whether the gain is trained.
    [Theory]
    [InlineData(ElementType.Fp32, ElementType.Bf16, ElementType.Fp32, true, true, 21, 16, 20)]
    [InlineData(ElementType.Fp32, ElementType.Fp16, ElementType.Fp32, true, true, 48, 16, 33)]
    [InlineData(ElementType.Fp32, ElementType.Fp32, ElementType.Fp32, false, true, 40, 32, 17)]
    [InlineData(ElementType.Fp32, ElementType.Bf16, ElementType.Fp32, false, false, 5, 16, 40)]
    [InlineData(ElementType.Bf16, ElementType.Bf16, ElementType.Bf16, false, true, 3, 2, 1100)]
    internal void What_a_norm_gives_to_a_branch(
        ElementType ofDx, ElementType type, ElementType ofX, bool isNarrow, bool isTrained, int rows, int partRows, int columns)
    {
        var (count, parts) = (rows * columns, (rows + partRows - 1) / partRows);
        TypedArray Some(ElementType of, int elements, int seed) => new(of, Numbers.Some(elements, seed));
        using TypedArray x = Some(ofX, count, 1), dy = Some(type, count, 2), gain = Some(ElementType.Fp32, columns, 3),
            means = Some(ElementType.Fp32, rows, 4), inverses = Some(ElementType.Fp32, rows, 5),
            memory = Some(ElementType.Fp32, 3 * parts * columns, 6);
        using var sums = new Sums(rows, partRows, columns);
        (float[] Dx, float[] Narrow, float[] Gain, float[] Bias) Run(float* branch, out TypedArray written)
        {
            TypedArray dx = Some(ofDx, count, 7), narrow = Some(type, count, 8);
            using TypedArray dGain = Some(ElementType.Fp32, columns, 9), dBias = Some(ElementType.Fp32, columns, 10);
            Ours.NormBackward(new NormBackward
            {
                Dx = dx,
                AddsToDx = ofDx == ElementType.Fp32,
                NarrowDx = isNarrow ? narrow : DeviceMemory.None,
                Dy = dy,
                X = x,
                Gain = gain.Floats,
                Means = means.Floats,
                Inverses = inverses.Floats,
                Rows = rows,
                Columns = columns,
                GainGradient = isTrained ? dGain.Floats : null,
                BiasGradient = isTrained ? dBias.Floats : null,
                BranchBiasGradient = branch,
                Sums = memory.Floats,
                PartRows = partRows,
            });
            var result = (dx.Values, narrow.Values, dGain.Values, dBias.Values);
            written = isNarrow ? narrow : dx;
            (isNarrow ? dx : narrow).Dispose();
            return result;
        }
        var apart = Run(null, out var unused);
        var together = Run(sums.Made.Target, out var written);
        using (unused)
        using (written)
        {
            Numbers.AssertSameBits(
                [.. apart.Dx, .. apart.Narrow, .. apart.Gain, .. apart.Bias],
                [.. together.Dx, .. together.Narrow, .. together.Gain, .. together.Bias]);
            sums.AssertAre(written);
        }
    }

    // Two targets that begin with the same numbers.
    private sealed class Sums(int rows, int partRows, int columns) : IDisposable
    {
        private readonly TypedArray _made = new(ElementType.Fp32, Numbers.Some(columns, 20)),
            _apart = new(ElementType.Fp32, Numbers.Some(columns, 20)),
            _memory = new(ElementType.Fp32, new float[(rows + partRows - 1) / partRows * columns]);

        public ColumnTarget Made => Into(_made);

        public void AssertAre(DeviceMemory x)
        {
            Ours.ColumnSums(x, Into(_apart));
            Numbers.AssertSameBits(_apart.Values, _made.Values);
        }

        public void Dispose()
        {
            _made.Dispose();
            _apart.Dispose();
            _memory.Dispose();
        }

        private ColumnTarget Into(TypedArray target) => KernelSumTests.Into(target.Floats, _memory.Floats, rows, partRows, columns);
    }
}
