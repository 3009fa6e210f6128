using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Torch.Cuda;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>Kernels that sum, on the fake GPU: bit for bit what <c>Kernels</c> give, and close to double precision.</summary>
public sealed unsafe class KernelSumTests
{
    [Theory]
    [InlineData(1, 1, 1, ElementType.Fp32)]
    [InlineData(6, 3, 40, ElementType.Fp32)]
    [InlineData(56, 8, 72, ElementType.Bf16)]
    [InlineData(128, 64, 5, ElementType.Fp16)]
    [InlineData(35, 1, 33, ElementType.Bf16)]
    [InlineData(4096, 1, 2, ElementType.Fp32)]
    internal void Columns_add_up_part_by_part_and_to_what_is_there(int rows, int partRows, int columns, ElementType type)
    {
        var parts = rows / partRows;
        float[] x = TypedArray.Rounded(type, Numbers.Some(rows * columns, 1)), before = Numbers.Some(columns, 2), theirs = [.. before];
        using TypedArray source = new(type, x), into = new(ElementType.Fp32, before);
        fixed (float* from = x, other = theirs, sums = new float[parts * columns])
        {
            FakeGpu.Shared.Kernels(0).ColumnSums(source, Into(into.Floats, sums, rows, partRows, columns));
            ColumnSums.Add(other, from, columns, partRows, (long)partRows * columns, parts, columns, true);
        }
        Numbers.AssertSameBits(theirs, into.Values);
        for (var j = 0; j < columns; j++)
            Assert.Equal(before[j] + Enumerable.Range(0, rows).Sum(r => (double)x[r * columns + j]), theirs[j], 1e-3);
    }

    [Fact]
    public void A_last_part_may_be_shorter_and_parts_are_few_enough_to_fold()
    {
        const int rows = 11, columns = 3;
        float[] x = Numbers.Some(rows * columns, 2), ours = new float[columns];
        fixed (float* source = x, into = ours, sums = new float[3 * columns])
            FakeGpu.Shared.Kernels(0).ColumnSums(source, Into(into, sums, rows, 4, columns));
        for (var j = 0; j < columns; j++)
            Assert.Equal(Enumerable.Range(0, rows).Sum(r => (double)x[r * columns + j]), ours[j], 1e-5);
        long[] many = [1, 16 * 512, 16 * 512 + 1, 64 * 512 + 1, 128 * 4096, 128 * 4096 + 1];
        Assert.Equal([16, 16, 32, 128, 128, 256], many.Select(DeviceKernels.PartRowsOf));
        Assert.Throws<ArgumentOutOfRangeException>(
            () => FakeGpu.Shared.Kernels(0).ColumnSums(DeviceMemory.None, Into(null, null, 4097, 1, 1)));
    }

    [Fact]
    public void Squares_of_ranges_are_summed_in_double_precision()
    {
        var x = Numbers.Some(70_000, 3);
        long[] firsts = [0, 1, 17, 40, 65_536], counts = [1, 0, 23, 65_000, 4_464];
        double[] ours = new double[firsts.Length], theirs = new double[firsts.Length];
        fixed (float* source = x)
        fixed (long* first = firsts, count = counts)
        fixed (double* sums = ours)
        {
            FakeGpu.Shared.Kernels(0).SumsOfSquares(sums, source, first, count, firsts.Length);
            for (var i = 0; i < firsts.Length; i++)
                theirs[i] = Norms.SumOfSquares(source + firsts[i], counts[i]);
        }
        Assert.Equal(theirs, ours);
    }

    [Theory]
    [InlineData(1, new[] { 0 })]
    [InlineData(5, new[] { 0, 4 })]
    [InlineData(7, new[] { 0, 4, 6 })]
    [InlineData(8, new[] { 0, 1, 2, 4 })]
    [InlineData(11, new[] { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 })]
    public void Roots_add_up_along_the_tree_and_the_sum_may_lie_where_a_root_does(int microBatches, int[] firsts)
    {
        const int count = 1000, first = 100, length = 777;
        var roots = firsts.Select((f, i) => Numbers.Some(count, 10 + i)).ToArray();
        TreeNode Node(int i) => new(firsts[i], (i + 1 < firsts.Length ? firsts[i + 1] : microBatches) - firsts[i]);
        var expected = roots[0].ToArray();
        var sum = SumTree.Fold<float[]>(
            [.. roots.Select((r, i) => (Node(i), r))], microBatches, (a, b) => [.. a.Zip(b, (x, y) => x + y)]);
        Array.Copy(sum, first, expected, first, length);
        var handles = roots.Select(r => System.Runtime.InteropServices.GCHandle.Alloc(
            r, System.Runtime.InteropServices.GCHandleType.Pinned)).ToList();
        FakeGpu.Shared.Kernels(1).TreeSum(
            (float*)handles[0].AddrOfPinnedObject(), [.. handles.Select((h, i) => (h.AddrOfPinnedObject(), firsts[i]))], first, length);
        handles.ForEach(h => h.Free());
        Numbers.AssertSameBits(expected, roots[0]);
    }

    // Of 64 devices with five micro-batches each, and of as many more.
    [Fact]
    public void Roots_of_many_devices_add_up_and_those_of_too_many_are_refused_with_a_remedy()
    {
        Roots_add_up_along_the_tree_and_the_sum_may_lie_where_a_root_does(
            DeviceKernels.MaxRoots, [.. Enumerable.Range(0, DeviceKernels.MaxRoots)]);
        float x = 0;
        var at = (nint)(&x);
        var refusal = Assert.Throws<ElasticException>(() => FakeGpu.Shared.Kernels(1).TreeSum(
            (float*)at, [.. Enumerable.Range(0, DeviceKernels.MaxRoots + 1).Select(i => (at, i))], 0, 1));
        Assert.StartsWith(
            "the devices of a replica have 321 sums of gradients, and a GPU adds 320 at most: use fewer devices", refusal.Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(40, 40, 20)]
    [InlineData(40, 8, 70)]
    public void A_token_tables_gradient_adds_rows_in_order_and_micro_batches_along_the_tree(int rows, int partRows, int columns)
    {
        const int vocabulary = 9;
        var random = new Random(4);
        var tokens = Enumerable.Range(0, rows).Select(_ => random.Next(vocabulary - 1)).ToArray();
        float[] dy = Numbers.Some(rows * columns, 5), ours = Numbers.Some(vocabulary * columns, 6), theirs = [.. ours];
        fixed (int* at = tokens, workspace = new int[EmbeddingPlan.WorkspaceInts(rows)])
        fixed (float* source = dy, into = ours, other = theirs)
        {
            var plan = EmbeddingPlan.Build(workspace, at, rows, vocabulary);
            FakeGpu.Shared.Kernels(0).EmbeddingGradient(
                into, plan.Tokens, plan.Starts, plan.Rows, plan.Count, source, partRows, columns);
            Embedding.AddGradients(other, plan, 0, plan.Count, source, partRows, rows / partRows, columns);
        }
        Numbers.AssertSameBits(theirs, ours);
    }

    internal static ColumnTarget Into(float* target, float* sums, long rows, int partRows, int columns) => new()
    {
        Target = target,
        Sums = sums,
        Rows = rows,
        PartRows = partRows,
        Columns = columns,
    };
}
