// Rows of tables, and the gradient of a token table by sorted tokens (src/Kernels/Rows/Embedding.cs).

#define EMBED_ROWS 4

// y[row] = positions[row % length] + scale table[tokens[row]], without positions the latter alone. A thread goes down four rows with four
// neighbouring columns, all of which it has on their way at once.
struct Embed
{
    static const int Columns = 4;
    float *y;
    const float *table;
    const int *tokens;
    const float *positions;
    int length, columns;
    float scale;
    typedef Neighbours<4> Place;

    template <bool IsWhole> INLINE Place place(const Embed &of, i64 four) { return neighbours<IsWhole, 4>(four * 4, of.columns); }

    template <int Rows> INLINE void rows(const Embed &of, Place n, i64 row, float *)
    {
        i64 token[Rows];
        Raw<f32, 4> of_token[Rows], of_place[Rows];
        UNROLL
        for (int r = 0; r < Rows; r++)
            token[r] = of.tokens[row + r];
        UNROLL
        for (int r = 0; r < Rows; r++)
            of_token[r] = fetch<f32>(of.table + token[r] * of.columns, n);
        if (of.positions)
        {
            i64 at = row % of.length;
            UNROLL
            for (int r = 0; r < Rows; r++)
            {
                of_place[r] = fetch<f32>(of.positions + at * of.columns, n);
                at = at + 1 < of.length ? at + 1 : 0;
            }
        }
        UNROLL
        for (int r = 0; r < Rows; r++)
        {
            float x[4], sum[4];
            widen(x, of_token[r]);
            widen(sum, of_place[r]);
            UNROLL
            for (int k = 0; k < 4; k++)
                sum[k] = of.positions ? fused(x[k], of.scale, sum[k]) : x[k] * of.scale;
            store<f32>(of.y + (row + r) * of.columns, sum, n);
        }
    }

    INLINE void finish(const Embed &, Place, i64, const float *) {}
};

extern "C" __global__ void embed(
    float *y, const float *table, const int *tokens, const float *positions, int length, i64 rows, int columns, float scale)
{
    bool is_whole = columns % 4 == 0 && is_aligned<4>(y) && is_aligned<4>(table) && is_aligned<4>(positions);
    down_parts<EMBED_ROWS>(
        Embed{y, table, tokens, positions, length, columns, scale}, rows, EMBED_ROWS, (columns + 3) / 4, is_whole);
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
