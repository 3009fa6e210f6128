namespace Elastic.Kernels;

/// <summary>
/// fp32 matrix products on a team of threads: C = A B, C = C + A B, and + bias. The order of each element's sum is <see cref="DepthParts"/>
/// and nothing else: not the vector width, the blocks, the threads, nor how many rows or columns are computed at a time.
/// M rows, N columns, K depth.
/// </summary>
internal static unsafe class Products
{
    /// <summary>Which micro-kernel computes. All give the same bits.</summary>
    public enum Instructions
    {
        /// <summary>No vectors.</summary>
        Scalar,

        /// <summary>Four floats: NEON.</summary>
        Vector128,

        /// <summary>Eight floats: AVX2 and FMA.</summary>
        Vector256,

        /// <summary>Sixteen floats: AVX-512.</summary>
        Vector512,
    }

    /// <summary>The widest of this processor.</summary>
    public static Instructions Best { get; } = Enum.GetValues<Instructions>().Last(IsSupported);

    /// <summary>True when this processor has the instructions.</summary>
    public static bool IsSupported(Instructions instructions) => instructions switch
    {
        Instructions.Vector512 => TileKernel512.IsSupported,
        Instructions.Vector256 => TileKernel256.IsSupported,
        Instructions.Vector128 => TileKernel128.IsSupported,
        _ => TileKernelScalar.IsSupported,
    };

    /// <summary>Bytes of workspace that a team of so many threads needs for a product of this shape, however its operands lie.</summary>
    /// <param name="threads">Threads of the team.</param>
    /// <param name="parts">As the product divides K.</param>
    public static long WorkspaceBytes(int threads, int m, int n, int k, DepthParts parts)
        => Math.Max(WorkspaceBytes(threads, m, n, k, parts, true, ProductBlocks.Default, Best),
            WorkspaceBytes(threads, m, n, k, parts, false, ProductBlocks.Default, Best));

    /// <summary>
    /// Gives the team's products this much workspace: the largest of their <see cref="WorkspaceBytes(int, int, int, int, DepthParts)"/>.
    /// Allocates when it is more than before; not while a product runs.
    /// </summary>
    public static void Reserve(ThreadTeam team, long bytes) => team.Workspace.Reserve(bytes);

    /// <summary>
    /// C = A B (+ C) (+ bias). Element (i, j) is the sum over k in the order of <paramref name="parts"/>; then C + sum, if it accumulates;
    /// then + bias.
    /// </summary>
    /// <param name="team">Computes; its workspace must hold <see cref="WorkspaceBytes(int, int, int, int, DepthParts)"/>.</param>
    /// <param name="c">(M, N), rows contiguous. Overlaps nothing else.</param>
    /// <param name="a">(M, K), one stride 1. Read in place when the column stride is 1, packed otherwise.</param>
    /// <param name="b">(K, N), one stride 1; fp32, or a type of 16 bits, which is widened while it is packed.</param>
    /// <param name="parts">How K is divided.</param>
    /// <param name="accumulate">Adds to what stands in C; otherwise overwrites it.</param>
    /// <param name="bias">(N), added to each row; null for none.</param>
    public static void Multiply(ThreadTeam team, MatrixView c, MatrixView a, MatrixView b, DepthParts parts, bool accumulate = false,
        float* bias = null)
        => Multiply(team, c, a, b, parts, accumulate, bias, default, ProductBlocks.Default, Best);

    /// <summary>
    /// C = A B (+ C) where an earlier product has summed the first part of K: each element's one chain goes on from
    /// <paramref name="start"/> in place of +0. So a depth that is computed piece by piece has the bits of the whole.
    /// </summary>
    /// <param name="start">(M, N), rows contiguous. C itself where the product does not accumulate, else apart from it.</param>
    public static void Continue(ThreadTeam team, MatrixView c, MatrixView start, MatrixView a, MatrixView b, bool accumulate)
        => Multiply(team, c, a, b, DepthParts.One, accumulate, null, start, ProductBlocks.Default, Best);

    /// <param name="start">No data where sums begin with +0.</param>
    internal static void Multiply(ThreadTeam team, MatrixView c, MatrixView a, MatrixView b, DepthParts parts, bool accumulate, float* bias,
        MatrixView start, ProductBlocks blocks, Instructions instructions)
    {
        var fits = a.Columns == b.Rows && a.Rows == c.Rows && b.Columns == c.Columns
            && (start.Data is null || (start.Rows == c.Rows && start.Columns == c.Columns && start.ColumnStride == 1));
        var isWide = a.Type is null && c.Type is null && start.Type is null;
        if (!fits || !isWide || c.ColumnStride != 1 || !HasUnitStride(a) || !HasUnitStride(b))
            throw new ArgumentException($"({a.Rows}, {a.Columns}) ({b.Rows}, {b.Columns}) -> ({c.Rows}, {c.Columns}) does not fit");
        if (c.Rows == 0 || c.Columns == 0)
            return;
        switch (instructions)
        {
            case Instructions.Vector512:
                Run<TileKernel512>(team, c, a, b, parts, accumulate, bias, start, blocks);
                break;
            case Instructions.Vector256:
                Run<TileKernel256>(team, c, a, b, parts, accumulate, bias, start, blocks);
                break;
            case Instructions.Vector128:
                Run<TileKernel128>(team, c, a, b, parts, accumulate, bias, start, blocks);
                break;
            default:
                Run<TileKernelScalar>(team, c, a, b, parts, accumulate, bias, start, blocks);
                break;
        }
    }

    internal static long WorkspaceBytes(int threads, int m, int n, int k, DepthParts parts, bool packsA, ProductBlocks blocks,
        Instructions instructions)
    {
        var plan = instructions switch
        {
            Instructions.Vector512 => Plan<TileKernel512>(blocks, threads, m, n, k, parts, packsA),
            Instructions.Vector256 => Plan<TileKernel256>(blocks, threads, m, n, k, parts, packsA),
            Instructions.Vector128 => Plan<TileKernel128>(blocks, threads, m, n, k, parts, packsA),
            _ => Plan<TileKernelScalar>(blocks, threads, m, n, k, parts, packsA),
        };
        return Bytes(plan, threads);
    }

    private static void Run<TKernel>(ThreadTeam team, MatrixView c, MatrixView a, MatrixView b, DepthParts parts, bool accumulate,
        float* bias, MatrixView start, ProductBlocks blocks)
        where TKernel : struct, ITileKernel
    {
        var plan = Plan<TKernel>(blocks, team.Threads, c.Rows, c.Columns, a.Columns, parts, a.ColumnStride != 1);
        if (team.Workspace.Bytes < Bytes(plan, team.Threads))
        {
            throw new InvalidOperationException(
                $"the team's workspace holds {team.Workspace.Bytes} bytes, this product needs {Bytes(plan, team.Threads)}: reserve before");
        }
        team.Run(new ProductWork<TKernel>(c, a, b, accumulate, bias, start, parts, plan, team.Workspace.Floats), plan.Pieces);
    }

    private static ProductPlan Plan<TKernel>(ProductBlocks blocks, int threads, int m, int n, int k, DepthParts parts, bool packsA)
        where TKernel : struct, ITileKernel
        => new(blocks, threads, m, n, k, parts, packsA, TKernel.Rows, TKernel.Columns);

    private static long Bytes(in ProductPlan plan, int threads) => threads * plan.ThreadFloats * sizeof(float);

    private static bool HasUnitStride(MatrixView view) => view.ColumnStride == 1 || view.RowStride == 1;
}
