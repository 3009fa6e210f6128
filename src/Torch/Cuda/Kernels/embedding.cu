// The gradient of a token table by sorted tokens (src/Kernels/Rows/Embedding.cs): a token's rows of one micro-batch are added in increasing
// order from +0, its micro-batches along the tree; one without the token is skipped. A block has a distinct token, a thread its columns.

// gradient[tokens[k]] += Σ dy[rows[i]], i from [starts[k], starts[k + 1]); rows of a token increase.
extern "C" __global__ void embedding_gradient(
    float *gradient, const int *tokens, const int *starts, const int *rows, int count, const float *dy, int part_rows, int columns)
{
    Tree tree;
    for (int k = block_index(); k < count; k += blocks())
    {
        float *into = gradient + (i64)tokens[k] * columns;
        for (int j = thread_index(); j < columns; j += threads())
        {
            tree.clear();
            for (int i = starts[k], end = starts[k + 1]; i < end;)
            {
                int part = rows[i] / part_rows;
                float sum = 0;
                for (; i < end && rows[i] / part_rows == part; i++)
                    sum += dy[(i64)rows[i] * columns + j];
                tree.push(part, sum);
            }
            into[j] = into[j] + tree.finish();
        }
    }
}
