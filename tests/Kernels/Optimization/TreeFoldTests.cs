using CsCheck;
using Elastic.Kernels.Optimization;

namespace Elastic.Kernels.Tests.Optimization;

public unsafe class TreeFoldTests
{
    // Which full subtrees several devices hold of the micro-batches, and how long the vectors are.
    private static readonly Gen<(int MicroBatches, TreeNode[] Roots, int Length)> Folds =
        from n in Gen.Int[1, 20]
        from cuts in Gen.Int[0, 20].Array[0, 6]
        from length in Gen.Int[1, 5000]
        select (n, Cover(n, cuts), length);

    [Fact]
    public void Roots_that_leave_a_gap_are_refused()
        => Assert.Throws<ArgumentException>(() => new TreeFold([new TreeNode(0, 1), new TreeNode(2, 1)], 3));

    [Fact]
    public void Elements_are_summed_along_the_tree_and_squares_by_sixteen_lanes()
        => Folds.Sample(fold =>
        {
            var vectors = Vectors(fold.Roots.Length, fold.Length);
            var expected = Enumerable.Range(0, fold.Length).Select(i => SumTree.Fold(
                [.. fold.Roots.Select((root, r) => (root, vectors[r][i]))], fold.MicroBatches, (a, b) => a + b)).ToArray();
            var (first, count) = (fold.Length / 3, fold.Length - fold.Length / 3);
            foreach (var lanes in LaneDispatch.Supported)
            {
                foreach (var target in new[] { vectors.Length, 0, vectors.Length - 1 })
                {
                    var (sum, squares) = Run(fold.Roots, fold.MicroBatches, vectors, target, first, count, lanes);
                    Assert.Equal(expected[first..], sum[first..]);
                    Assert.Equal(Squares(expected[first..]), squares);
                    Assert.Equal(target < vectors.Length ? vectors[target][..first] : new float[first], sum[..first]);
                }
            }
        }, iter: 30);

    // Into the vector of that number, or a new one behind the last.
    private static (float[] Sum, double Squares) Run(
        TreeNode[] roots, int microBatches, float[][] vectors, int target, int first, int count, LaneKind lanes)
    {
        var fold = new TreeFold(roots, microBatches);
        var length = vectors[0].Length;
        float[] all = [.. vectors.SelectMany(v => v), .. new float[length]];
        var workspace = new float[fold.WorkspaceFloats + 1];
        workspace[^1] = 1e30f;
        LaneDispatch.Force(lanes);
        double squares;
        fixed (float* memory = all, space = workspace)
        {
            var pointers = stackalloc float*[vectors.Length];
            for (var r = 0; r < vectors.Length; r++)
                pointers[r] = memory + r * length;
            squares = fold.Run(pointers, first, count, memory + target * length, space);
        }
        LaneDispatch.Force(null);
        Assert.Equal(1e30f, workspace[^1]);
        fixed (float* memory = all)
            Assert.Equal(squares, Norms.SumOfSquares(memory + target * length + first, count));
        return (all[(target * length)..((target + 1) * length)], squares);
    }

    private static double Squares(float[] x)
    {
        var lanes = new double[16];
        for (var i = 0; i < x.Length; i++)
            lanes[i % 16] += (double)x[i] * x[i];
        for (var half = 8; half > 0; half /= 2)
        {
            for (var l = 0; l < half; l++)
                lanes[l] += lanes[l + half];
        }
        return lanes[0];
    }

    private static float[][] Vectors(int count, int length)
    {
        var random = new Random(count);
        return [.. Enumerable.Range(0, count).Select(_ =>
            Enumerable.Range(0, length).Select(_ => (float)(random.NextDouble() * 2 - 1)).ToArray())];
    }

    // The full subtrees of [0, n) between the cuts.
    private static TreeNode[] Cover(int n, int[] cuts)
    {
        var bounds = cuts.Select(c => c % (n + 1)).Append(0).Append(n).Distinct().Order().ToList();
        var nodes = new List<TreeNode>();
        foreach (var (start, end) in bounds.Zip(bounds.Skip(1)))
        {
            for (var at = start; at < end; at = nodes[^1].End)
            {
                var size = at == 0 ? 32 : at & -at;
                while (at + size > end)
                    size /= 2;
                nodes.Add(new TreeNode(at, size));
            }
        }
        return [.. nodes];
    }
}
