// Sums over rows, for each column, in a fixed order (src/Kernels/Rows/ColumnSums.cs and NormGradients.cs): the rows come in parts; within a
// part they are added in order from +0, then the parts' sums fold along the tree. Gradients of biases, those of packed queries, keys and
// values too, and of norms. More parts give more threads, and are another order: the caller says how many rows a part has.

// sums (parts, columns): a thread has a part's column. The last part may have fewer rows.
extern "C" __global__ void column_sums(float *sums, const float *x, i64 rows, int part_rows, int columns)
{
    i64 parts = (rows + part_rows - 1) / part_rows;
    for (i64 i = first_index(); i < parts * columns; i += grid_threads())
    {
        i64 first = i / columns * part_rows, end = first + part_rows < rows ? first + part_rows : rows;
        float sum = 0;
        for (i64 row = first; row < end; row++)
            sum += x[row * columns + i % columns];
        sums[i] = sum;
    }
}

// Those of a layer norm: of dy n for the gain, of dy for the bias, n = (x - mean) inverse.
extern "C" __global__ void norm_gradient_sums(
    float *gains, float *biases, const float *dy, const float *x, const float *means, const float *inverses, i64 rows, int part_rows,
    int columns)
{
    i64 parts = (rows + part_rows - 1) / part_rows;
    for (i64 i = first_index(); i < parts * columns; i += grid_threads())
    {
        i64 first = i / columns * part_rows, end = first + part_rows < rows ? first + part_rows : rows;
        float gain = 0, bias = 0;
        for (i64 row = first; row < end; row++)
        {
            float d = dy[row * columns + i % columns];
            gain = fused(d, (x[row * columns + i % columns] - means[row]) * inverses[row], gain);
            bias += d;
        }
        gains[i] = gain;
        biases[i] = bias;
    }
}

// target[j] = (target[j] +) the fold of sums[0, j], sums[1, j] ...
extern "C" __global__ void fold_parts(float *target, const float *sums, int parts, int columns, int accumulate)
{
    Tree tree;
    for (i64 j = first_index(); j < columns; j += grid_threads())
    {
        tree.clear();
        for (int part = 0; part < parts; part++)
            tree.push(part, sums[(i64)part * columns + j]);
        float sum = tree.finish();
        target[j] = accumulate ? target[j] + sum : sum;
    }
}
