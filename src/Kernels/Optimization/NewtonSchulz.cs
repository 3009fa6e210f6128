namespace Elastic.Kernels.Optimization;

/// <summary>
/// Brings all singular values of a matrix near 1 and keeps its singular vectors, by the Newton-Schulz iteration of Jordan et al. 2024
/// ("Muon: an optimizer for hidden layers"), with their five iterations and coefficients:
///   X = M / (|M| + 1e-7), |M| Frobenius's norm;   five times X = (a I + b G + c G²) X, where G = X Xᵀ,
/// or with Xᵀ X on the right where there are fewer columns than rows. A singular value x of X becomes a x + b x³ + c x⁵ each time, and lies
/// between 0.68 and 1.21 in the end, unless it was below 0.002 of the norm. Theirs computes in bf16, this one in fp32.
///
/// The order of each sum: an element of a product is one chain (<see cref="DepthParts.One"/>); the norm adds the rows' sums of squares
/// (<see cref="Norms.SumOfSquares"/>) from the first row to the last.
/// </summary>
internal static unsafe class NewtonSchulz
{
    /// <summary>Times that the polynomial is applied.</summary>
    public const int Iterations = 5;

    /// <summary>The coefficients a, b and c.</summary>
    public const float A = 3.4445f, B = -4.7750f, C = 2.0315f;

    /// <summary>Added to the norm, so that no zero is divided by zero.</summary>
    public const double Epsilon = 1e-7;

    /// <summary>Floats of workspace of a matrix: another one of its size, two square ones of its smaller side.</summary>
    public static long WorkspaceFloats(int rows, int columns)
        => Aligned((long)rows * columns) + 2 * Aligned((long)Math.Min(rows, columns) * Math.Min(rows, columns));

    /// <summary>Bytes that <see cref="Products.Reserve"/> needs for it.</summary>
    public static long ProductBytes(int threads, int rows, int columns)
    {
        var (small, large) = (Math.Min(rows, columns), Math.Max(rows, columns));
        return Math.Max(
            Products.WorkspaceBytes(threads, small, small, large, DepthParts.One),
            Math.Max(
                Products.WorkspaceBytes(threads, small, small, small, DepthParts.One),
                Products.WorkspaceBytes(threads, rows, columns, small, DepthParts.One)));
    }

    /// <summary>Orthogonalizes <paramref name="x"/>, which it overwrites.</summary>
    /// <param name="team">Its workspace has <see cref="ProductBytes"/>.</param>
    /// <param name="x">(rows, columns), contiguous and finite.</param>
    /// <param name="workspace"><see cref="WorkspaceFloats"/>.</param>
    /// <returns>Where the result lies, (rows, columns): <paramref name="x"/> or in the workspace.</returns>
    public static float* Run(ThreadTeam team, float* x, int rows, int columns, float* workspace)
    {
        Normalize(team, x, rows, columns);
        var small = Math.Min(rows, columns);
        var gram = workspace + Aligned((long)rows * columns);
        var polynomial = gram + Aligned((long)small * small);
        MatrixView g = View(gram, small, small), p = View(polynomial, small, small);
        float* now = x, next = workspace;
        for (var i = 0; i < Iterations; i++)
        {
            var matrix = View(now, rows, columns);
            var transposed = new MatrixView(now, columns, rows, 1, columns);
            if (rows <= columns)
                Products.Multiply(team, g, matrix, transposed, DepthParts.One);
            else
                Products.Multiply(team, g, transposed, matrix, DepthParts.One);
            Products.Multiply(team, p, g, g, DepthParts.One);
            Rows.Run(team, small, small, row => Polynomial(polynomial + row * small, gram + row * small, row, small));
            if (rows <= columns)
                Products.Multiply(team, View(next, rows, columns), p, matrix, DepthParts.One);
            else
                Products.Multiply(team, View(next, rows, columns), matrix, p, DepthParts.One);
            var last = now;
            now = next;
            next = last;
        }
        return now;
    }

    private static void Normalize(ThreadTeam team, float* x, int rows, int columns)
    {
        var squares = new double[rows];
        Rows.Run(team, rows, columns, row => squares[row] = Norms.SumOfSquares(x + row * columns, columns));
        var sum = 0.0;
        foreach (var square in squares)
            sum += square;
        var factor = (float)(1 / (Math.Sqrt(sum) + Epsilon));
        Rows.Run(team, rows, columns, row => Ranges.Scale(x + row * columns, x + row * columns, factor, columns));
    }

    // A row of a I + b G + c G², where G² is: c G² first, then b G added in one rounding.
    private static void Polynomial(float* square, float* gram, long row, int count)
    {
        Ranges.Scale(square, square, C, count);
        Ranges.AddScaled(square, square, gram, B, count);
        square[row] += A;
    }

    private static MatrixView View(float* data, int rows, int columns) => new(data, rows, columns, columns, 1);

    private static long Aligned(long floats) => (floats + 31) / 32 * 32;
}
