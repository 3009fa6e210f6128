// Sums over rows, for each column, in a fixed order (src/Kernels/Rows/ColumnSums.cs): the rows come in parts; within a part they are added
// in order from +0, then the parts' sums fold along the tree. Gradients of biases, where no kernel sums what it makes itself. More parts
// give more threads, and are another order: the caller says how many rows a part has.

// sums (parts, columns): a thread has four neighbouring columns of a part. The last part may have fewer rows.
template <class X> struct SumsOfColumns
{
    static const int Columns = 4;
    float *sums;
    const typename X::Element *x;
    int columns;
    typedef Neighbours<4> Place;

    template <bool IsWhole> INLINE Place place(const SumsOfColumns &of, i64 four)
    {
        return neighbours<IsWhole, 4>(four * 4, of.columns);
    }

    template <int Rows> INLINE void rows(const SumsOfColumns &of, Place n, i64 row, float *sums)
    {
        Raw<X, 4> read[Rows];
        UNROLL
        for (int r = 0; r < Rows; r++)
            read[r] = fetch<X>(of.x + (row + r) * of.columns, n);
        UNROLL
        for (int r = 0; r < Rows; r++)
        {
            float v[4];
            widen(v, read[r]);
            UNROLL
            for (int k = 0; k < 4; k++)
                sums[k] += v[k];
        }
    }

    INLINE void finish(const SumsOfColumns &of, Place n, i64 part, const float *sums)
    {
        store<f32>(of.sums + part * of.columns, sums, n);
    }
};

#define COLUMN_SUMS(X) \
    extern "C" __global__ void column_sums_##X(float *sums, const X::Element *x, i64 rows, int part_rows, int columns) \
    { \
        down_parts<AHEAD>( \
            SumsOfColumns<X>{sums, x, columns}, rows, part_rows, (columns + 3) / 4, \
            columns % 4 == 0 && is_aligned<4>(sums) && is_aligned<4>(x)); \
    } \
    ENTRY(column_sums_##X)

FOR_EACH_TYPE(COLUMN_SUMS)

#define FOLD_COLUMNS 32
#define RUN 16
#define MOST_RUNS 256
#define MOST_TARGETS 3

// Where sums go, one after the other; null where nothing goes.
struct Targets
{
    float *at[MOST_TARGETS];
};

// at[t][j] += the fold of sums[t, 0, j], sums[t, 1, j] ... along the tree: (targets, parts, columns), of as many targets as have blocks.
// A block has 32 columns of a target. A warp of it folds runs of 16 parts, which are subtrees; then warps fold the runs' sums together.
// There is a warp for each run up to 32 of them: so few blocks wait for memory once.
extern "C" __global__ void RESIDENT(1024, 1) fold_parts(Targets targets, const float *sums, int parts, int columns)
{
    __shared__ float folded[MOST_RUNS][FOLD_COLUMNS];
    int column = thread_index() % FOLD_COLUMNS, warp = thread_index() / FOLD_COLUMNS, warps = threads() / FOLD_COLUMNS;
    int of_one = (columns + FOLD_COLUMNS - 1) / FOLD_COLUMNS, runs = (parts + RUN - 1) / RUN;
    int target = block_index() / of_one, j = (int)block_index() % of_one * FOLD_COLUMNS + column;
    // Chosen, not indexed: an argument that is indexed goes to memory.
    float *into = target == 0 ? targets.at[0] : target == 1 ? targets.at[1] : targets.at[2];
    const float *from = sums + (i64)target * parts * columns;
    // Of all threads of the block.
    if (!into)
        return;
    for (int run = warp; run < runs; run += warps)
    {
        float v[RUN];
        UNROLL
        for (int k = 0; k < RUN; k++)
            v[k] = j < columns && run * RUN + k < parts ? from[(i64)(run * RUN + k) * columns + j] : 0;
        UNROLL
        for (int step = 1; step < RUN; step *= 2)
            UNROLL
            for (int k = 0; k + step < RUN; k += 2 * step)
                if (run * RUN + k + step < parts)
                    v[k] = v[k] + v[k + step];
        folded[run][column] = v[0];
    }
    barrier();
    for (int step = 1; step < runs; step *= 2)
    {
        for (int run = warp * 2 * step; run + step < runs; run += warps * 2 * step)
            folded[run][column] = folded[run][column] + folded[run + step][column];
        barrier();
    }
    if (warp == 0 && j < columns)
        into[j] = into[j] + folded[0][column];
}
ENTRY(fold_parts)
