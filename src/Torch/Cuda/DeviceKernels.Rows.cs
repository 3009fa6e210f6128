using System.Runtime.InteropServices;
using Elastic.Kernels;

namespace Elastic.Torch.Cuda;

// Kernels over rows: norms, losses, sums over rows, embeddings.
internal sealed unsafe partial class DeviceKernels
{
    /// <summary>Parts that a sum over rows can have: what <c>fold_parts</c> of column_sums.cu has memory for.</summary>
    public const int MaxParts = 4096;

    // A GPU of 132 multiprocessors has 512 blocks of norm_backward at once.
    private const int FewestPartRows = 16, UsualPartRows = 128, EnoughParts = 512;

    // PIECE_THREADS of cross_entropy.cu, of which a block of 512 threads has so many groups.
    private const int PieceThreads = 8, MaxGroups = 64, MaxPieces = 1024, Warp = 32, FoldColumns = 32, RunParts = 16;

    // Rows that a thread of embed goes down: EMBED_ROWS of embedding.cu.
    private const int EmbedRows = 4;

    /// <summary>
    /// Rows of a part of a sum over so many rows: 16, doubled up to 128 until there are 512 parts at most, and beyond that only until there
    /// are <see cref="MaxParts"/> at most. The number of rows alone decides: GPUs of any size add in one order.
    /// </summary>
    public static int PartRowsOf(long rows)
    {
        var partRows = FewestPartRows;
        while (Parts(rows, partRows) > (partRows < UsualPartRows ? EnoughParts : MaxParts))
            partRows *= 2;
        return partRows;
    }

    /// <summary>How many parts so many rows have; the last one may be shorter.</summary>
    public static int Parts(long rows, int partRows) => (int)((rows + partRows - 1) / partRows);

    /// <summary>
    /// <see cref="CrossEntropy.Rows"/>, of fp32 or bf16 logits in place; or, without gradients, <see cref="CrossEntropy.Losses"/>.
    /// </summary>
    public void CrossEntropyRows(
        DeviceMemory z, long stride, int rows, int vocabulary, int padded, int partLength, int* targets, float* weights,
        double smoothing, double scale, bool hasGradients, double* losses)
    {
        var pieces = (vocabulary + partLength - 1) / partLength * ((partLength + CrossEntropy.Block - 1) / CrossEntropy.Block);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(pieces, MaxPieces);
        // Eight threads for each piece, or for as many pieces as each other eight; whole warps.
        var rounds = (pieces + MaxGroups - 1) / MaxGroups;
        var threads = ((pieces + rounds - 1) / rounds * PieceThreads + Warp - 1) / Warp * Warp;
        if (rows > 0)
            Start(
                "cross_entropy", [z.Type], rows, threads, Moves((long)rows * vocabulary, z, hasGradients ? z : default), z, stride,
                vocabulary, padded, partLength, targets, weights, smoothing, scale, hasGradients, losses);
    }

    /// <summary>
    /// sum = x + branch, where there is a branch, and y its <see cref="LayerNorm.Forward"/>; else y is that of x. (rows, columns)
    /// Nothing that is written lies where something is read.
    /// </summary>
    /// <param name="y">Result, of the type of 16 bits where any of them is.</param>
    /// <param name="sum">Null where there is no branch.</param>
    /// <param name="x">fp32, or of y's type.</param>
    /// <param name="branch">What the branch made, of y's type; or none.</param>
    /// <param name="bias">Null for none.</param>
    public void LayerNormForward(
        DeviceMemory y, float* sum, DeviceMemory x, DeviceMemory branch, float* gain, float* bias, float* means, float* inverses, long rows,
        int columns, float epsilon)
    {
        MustBe(y.Type, branch);
        // A block takes several rows; those for which there are none end at once.
        if (rows > 0)
            Start(
                "norm_forward", [y.Type, x.Type], Math.Min(rows, 32L * _multiprocessors), ThreadsOfNorm(columns),
                Moves(rows * columns, y, sum, x, branch), y, sum, x, branch, gain, bias, means, inverses, rows, columns, epsilon);
    }

    /// <summary>
    /// sum = x + branch, where there is a branch, and y its <see cref="RmsNorm.Forward"/>; else y is that of x. (rows, columns)
    /// </summary>
    public void RmsNormForward(
        DeviceMemory y, float* sum, DeviceMemory x, DeviceMemory branch, float* gain, float* inverses, long rows, int columns,
        float epsilon)
        => LayerNormForward(y, sum, x, branch, gain, null, null, inverses, rows, columns, epsilon);

    /// <summary>
    /// What <see cref="LayerNorm.Backward"/> or <see cref="RmsNorm.Backward"/> compute, and <see cref="NormGradients.Add"/> with it, in
    /// one pass over memory.
    /// </summary>
    public void NormBackward(in NormBackward norm)
    {
        var parts = Parts(norm.Rows, norm.PartRows);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(parts, MaxParts);
        MustBe(norm.Dy.Type, norm.NarrowDx);
        // Narrow ones would be rounded with each addition.
        if (norm.AddsToDx)
            MustBe(ElementType.Fp32, norm.Dx);
        if (norm.BiasGradient is not null && norm.GainGradient is null)
            throw new ArgumentException("a norm's bias is trained with its gain", nameof(norm));
        if (norm.Dx.IsNone && (norm.BranchBiasGradient is not null || !norm.NarrowDx.IsNone))
            throw new ArgumentException("what a norm's branch gets is made of dx", nameof(norm));
        if (norm.Rows == 0)
            return;
        // One after the other, whichever are wanted.
        var ofOne = (long)parts * norm.Columns;
        var gains = norm.GainGradient is null ? null : norm.Sums;
        var biases = norm.BiasGradient is null ? null : norm.Sums + ofOne;
        var branches = norm.BranchBiasGradient is null ? null : norm.Sums + 2 * ofOne;
        var dx = norm.Dx.IsNone ? norm.X : norm.Dx;
        Start(
            "norm_backward", [dx.Type, norm.Dy.Type, norm.X.Type], parts, ThreadsOfNorm(norm.Columns),
            Moves(norm.Rows * norm.Columns, norm.Dx, norm.AddsToDx ? norm.Dx : default, norm.NarrowDx, norm.Dy, norm.X), norm.Dx,
            norm.NarrowDx, gains, biases, branches, norm.Dy, norm.X, norm.Gain, norm.Means, norm.Inverses, norm.Rows, norm.PartRows,
            norm.Columns, norm.AddsToDx);
        if (gains is not null || branches is not null)
            FoldParts(norm.Sums, parts, norm.Columns, norm.GainGradient, norm.BiasGradient, norm.BranchBiasGradient);
    }

    /// <summary>target[j] += <see cref="Kernels.ColumnSums.Add"/> of x: a bias's gradient.</summary>
    public void ColumnSums(DeviceMemory x, in ColumnTarget sums)
    {
        var parts = PartsOf(sums);
        OverFours(
            "column_sums", [x.Type], parts * RoundUpToFour(sums.Columns), Moves(sums.Rows * sums.Columns, x), sums.Sums, x, sums.Rows,
            sums.PartRows, sums.Columns);
        FoldParts(sums.Sums, parts, sums.Columns, sums.Target);
    }

    /// <summary>
    /// y = a, b and c side by side, (rows, first) (rows, others) (rows, others) -> (rows, first + 2 · others), all of one type; and the
    /// sums of its columns where they are asked for: the gradients of queries, keys and values, and of the bias of what made them.
    /// </summary>
    /// <param name="sums">Sums of the columns of y; their target is null where nobody asks.</param>
    public void Pack(DeviceMemory y, DeviceMemory a, DeviceMemory b, DeviceMemory c, int first, int others, in ColumnTarget sums)
    {
        MustBe(y.Type, a, b, c);
        var (parts, isAsked) = (PartsOf(sums), sums.Target is not null);
        OverFours(
            "pack", [y.Type], parts * (RoundUpToFour(first) + 2 * RoundUpToFour(others)),
            2.0 * Moves(sums.Rows * sums.Columns, y), y, a, b, c, first, others, isAsked ? sums.Sums : null, sums.Rows, sums.PartRows);
        if (isAsked)
            FoldParts(sums.Sums, parts, sums.Columns, sums.Target);
    }

    /// <summary>
    /// y[r] = scale · table[tokens[r]] + positions[r % length], <see cref="Embedding.Gather"/>. Tables (V, columns), (length, columns).
    /// </summary>
    /// <param name="positions">Null for none.</param>
    public void Embed(float* y, float* table, int* tokens, float* positions, int length, long rows, int columns, float scale = 1)
        => OverFours(
            "embed", [], (rows + EmbedRows - 1) / EmbedRows * RoundUpToFour(columns), Moves(rows * columns, y, table), y, table, tokens,
            positions, length, rows, columns, scale);

    /// <summary><see cref="Embedding.AddGradients"/> of a whole plan, whose arrays lie in the GPU's memory.</summary>
    /// <param name="tokens">(count): distinct, increasing.</param>
    public void EmbeddingGradient(
        float* gradient, int* tokens, int* starts, int* rows, int count, float* dy, int partRows, int columns)
    {
        if (count > 0)
            Start(
                "embedding_gradient", [], Math.Min((long)count * ((columns + Threads - 1) / Threads), 64L * _multiprocessors), Threads,
                0, gradient, tokens, starts, rows, count, dy, partRows, columns);
    }

    // A thread for each four columns of a row, whole warps; 512 at most, which keep the sums of 2,048 columns (norms_backward.cu). Rows of
    // at most 512 columns lie side by side in a block.
    private static int ThreadsOfNorm(int columns)
    {
        var fours = (columns + 3) / 4;
        return fours <= Threads / 2 ? Threads : Math.Min((fours + 31) / 32 * 32, 2 * Threads);
    }

    private static int PartsOf(in ColumnTarget sums)
    {
        var parts = Parts(sums.Rows, sums.PartRows);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(parts, MaxParts);
        return parts;
    }

    private static long RoundUpToFour(int columns) => (columns + 3) / 4 * 4;

    // What is folded is added to the targets, whose parts' sums follow one another; null where there are none.
    private void FoldParts(float* sums, int parts, int columns, float* target, float* second = null, float* third = null)
    {
        var targets = new Targets { First = target, Second = second, Third = third };
        var count = third is not null ? 3 : second is not null ? 2 : 1;
        // A warp for each run of parts, 1,024 threads at most.
        var warps = Math.Min((parts + RunParts - 1) / RunParts, 1024 / Warp);
        if (columns > 0 && parts > 0)
            Start(
                "fold_parts", [], (columns + FoldColumns - 1) / FoldColumns * (long)count, warps * Warp,
                Moves((long)parts * columns, target, second, third), KernelArgument.Of(&targets), sums, parts, columns);
    }

    // Targets of column_sums.cu.
    [StructLayout(LayoutKind.Sequential)]
    private struct Targets
    {
        public float* First, Second, Third;
    }
}
