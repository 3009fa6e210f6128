// Sums of squares by ranges (src/Kernels/Rows/Norms.cs), and sums of gradients along the tree (src/Kernels/SumTree.cs).

// sums[k] = Σ x[i]² over the range [firsts[k], firsts[k] + counts[k]), in double precision: a parameter, or a part of one, within a tile.
// 16 lanes take a range; squares of fp32 numbers are exact in double precision.
extern "C" __global__ void sums_of_squares(double *sums, const float *x, const i64 *firsts, const i64 *counts, int ranges)
{
    i64 groups = grid_threads() / 16;
    for (i64 first = 0; first < ranges; first += groups)
    {
        i64 k = first + first_index() / 16;
        double sum = 0;
        if (k < ranges)
            for (i64 i = firsts[k] + lane(), end = firsts[k] + counts[k]; i < end; i += 16 * AHEAD)
            {
                float v[AHEAD];
                UNROLL
                for (int a = 0; a < AHEAD; a++)
                    v[a] = i + 16 * a < end ? x[i + 16 * a] : 0;
                // What lies beyond the end adds +0 to what is not below it.
                UNROLL
                for (int a = 0; a < AHEAD; a++)
                    sum += (double)v[a] * v[a];
            }
        sum = fold(sum);
        if (lane() == 0 && k < ranges)
            sums[k] = sum;
    }
}
ENTRY(sums_of_squares)

// With what else a kernel is given, below the 4 KiB that every driver takes.
#define MOST_ROOTS 320

// Roots of full subtrees, in order: where each lies, and its first micro-batch.
struct Roots
{
    const float *at[MOST_ROOTS];
    int first[MOST_ROOTS];
    int count;
};

// into[i] = the fold of the roots' elements [first, first + count) in tree order. Roots may lie in other GPUs' memory, which this one reads
// in place; "into" may be one of them.
extern "C" __global__ void tree_sum(float *into, Roots roots, i64 first, i64 count)
{
    Tree tree;
    for (i64 i = first + first_index(); i < first + count; i += grid_threads())
    {
        // Two roots need no tree.
        if (roots.count <= 2)
        {
            into[i] = roots.count == 2 ? roots.at[0][i] + roots.at[1][i] : roots.at[0][i];
            continue;
        }
        tree.clear();
        for (int r = 0; r < roots.count; r++)
            tree.push(roots.first[r], roots.at[r][i]);
        into[i] = tree.finish();
    }
}
ENTRY(tree_sum)
