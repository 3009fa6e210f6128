// Rows of tables, and the gradient of a token table by sorted tokens (src/Kernels/Rows/Embedding.cs).

// y[row] = positions[row % length] + scale table[tokens[row]], without positions the latter alone. A thread has four neighbouring columns.
extern "C" __global__ void embed(
    float *y, const float *table, const int *tokens, const float *positions, int length, i64 rows, int columns, float scale)
{
    i64 fours = (columns + 3) / 4, count = rows * fours;
    bool aligned = columns % 4 == 0 && is_aligned<4>(y) && is_aligned<4>(table) && is_aligned<4>(positions);
    for (i64 i = first_index(); i < count; i += grid_threads())
    {
        i64 row = i / fours;
        Neighbours<4> n(i % fours * 4, columns, aligned);
        float of_token[4], sum[4] = {0, 0, 0, 0};
        load<f32>(of_token, table + (i64)tokens[row] * columns, n);
        if (positions)
            load<f32>(sum, positions + row % length * columns, n);
        UNROLL
        for (int k = 0; k < 4; k++)
            sum[k] = positions ? fused(of_token[k], scale, sum[k]) : of_token[k] * scale;
        store<f32>(y + row * columns, sum, n);
    }
}
ENTRY(embed)

// gradient[tokens[k]] += Σ dy[rows[i]], i from [starts[k], starts[k + 1]); rows of a token increase. A token's rows of one micro-batch are
// added in order from +0, its micro-batches along the tree; one without the token is skipped. A block has some columns of a token, a thread
// a column: few tokens are in many rows, and a thread goes through these alone, so it has eight rows' numbers on their way at once.
extern "C" __global__ void embedding_gradient(
    float *gradient, const int *tokens, const int *starts, const int *__restrict__ rows, int count, const float *__restrict__ dy,
    int part_rows, int columns)
{
    Tree tree;
    int pieces = (columns + threads() - 1) / threads();
    for (i64 unit = block_index(); unit < (i64)count * pieces; unit += blocks())
    {
        int k = (int)(unit / pieces), j = (int)(unit % pieces) * threads() + thread_index();
        if (j >= columns)
            continue;
        float *into = gradient + (i64)tokens[k] * columns + j, sum = 0;
        tree.clear();
        for (int i = starts[k], end = starts[k + 1]; i < end;)
        {
            int part = rows[i] / part_rows;
            i64 behind = ((i64)part + 1) * part_rows;
            sum = 0;
            for (; i + 8 <= end && rows[i + 7] < behind; i += 8)
            {
                float next[8];
                UNROLL
                for (int r = 0; r < 8; r++)
                    next[r] = dy[(i64)rows[i + r] * columns + j];
                UNROLL
                for (int r = 0; r < 8; r++)
                    sum += next[r];
            }
            for (; i < end && rows[i] < behind; i++)
                sum += dy[(i64)rows[i] * columns + j];
            // One part needs no tree.
            if (i < end || tree.count > 0)
                tree.push(part, sum);
        }
        *into = *into + (tree.count > 0 ? tree.finish() : sum);
    }
}
ENTRY(embedding_gradient)
