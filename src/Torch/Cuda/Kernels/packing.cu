// Three matrices of as many rows side by side, and the sums of their columns: the gradients of queries, keys and values, and that of the
// bias of the linear layer that made all three.

// y (rows, a_columns + 2 b_columns) = a (rows, a_columns), b and c (rows, b_columns); sums (parts, columns of y) as column_sums makes them,
// which fold_parts goes on with, or null. A thread goes down a part's rows with four neighbouring columns of one of the three: as many
// threads as column_sums has.
template <class F>
INLINE void pack(
    typename F::Element *y, const typename F::Element *__restrict__ a, const typename F::Element *__restrict__ b,
    const typename F::Element *__restrict__ c, int a_columns, int b_columns, float *sums, i64 rows, int part_rows)
{
    int columns = a_columns + 2 * b_columns;
    i64 parts = (rows + part_rows - 1) / part_rows, of_a = (a_columns + 3) / 4, of_b = (b_columns + 3) / 4, fours = of_a + 2 * of_b;
    bool aligned = a_columns % 4 == 0 && b_columns % 4 == 0 && is_aligned<4>(y) && is_aligned<4>(a) && is_aligned<4>(b)
        && is_aligned<4>(c) && is_aligned<4>(sums);
    for (i64 i = first_index(); i < parts * fours; i += grid_threads())
    {
        i64 part = i / fours, four = i % fours, first = part * part_rows, end = first + part_rows < rows ? first + part_rows : rows;
        bool is_a = four < of_a, is_c = four >= of_a + of_b;
        const typename F::Element *from = is_a ? a : is_c ? c : b;
        int own = is_a ? a_columns : b_columns, before = is_a ? 0 : is_c ? a_columns + b_columns : a_columns;
        Neighbours<4> n((is_a ? four : is_c ? four - of_a - of_b : four - of_a) * 4, own, aligned);
        float sum[4] = {0, 0, 0, 0};
        for (; first < end; first += AHEAD)
        {
            float v[AHEAD][4];
            UNROLL
            for (int r = 0; r < AHEAD; r++)
                if (first + r < end)
                    load<F>(v[r], from + (first + r) * own, n);
            UNROLL
            for (int r = 0; r < AHEAD; r++)
            {
                if (first + r >= end)
                    break;
                store<F>(y + (first + r) * columns + before, v[r], n);
                UNROLL
                for (int k = 0; k < 4; k++)
                    sum[k] += v[r][k];
            }
        }
        if (sums)
            store<f32>(sums + part * columns + before, sum, n);
    }
}

#define PACK(F) \
    extern "C" __global__ void pack_##F( \
        F::Element *y, const F::Element *a, const F::Element *b, const F::Element *c, int a_columns, int b_columns, float *sums, i64 rows, \
        int part_rows) \
    { \
        pack<F>(y, a, b, c, a_columns, b_columns, sums, rows, part_rows); \
    } \
    ENTRY(pack_##F)

FOR_EACH_TYPE(PACK)
