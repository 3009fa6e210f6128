// Three matrices of as many rows side by side, and the sums of their columns: the gradients of queries, keys and values, and that of the
// bias of the linear layer that made all three.

// y (rows, a_columns + 2 b_columns) = a (rows, a_columns), b and c (rows, b_columns); sums (parts, columns of y) as column_sums makes them,
// which fold_parts goes on with, or null. A thread goes down a part's rows with four neighbouring columns of one of the three: as many
// threads as column_sums has.
template <class F> struct Pack
{
    static const int Columns = 4;
    typename F::Element *y;
    const typename F::Element *a, *b, *c;
    int a_columns, b_columns;
    float *sums;

    // The columns of the one that a thread has, and where they go.
    struct Place { Neighbours<4> n; const typename F::Element *from; int own, before; };

    INLINE int columns(const Pack &of) { return of.a_columns + 2 * of.b_columns; }

    template <bool IsWhole> INLINE Place place(const Pack &of, i64 four)
    {
        i64 of_a = (of.a_columns + 3) / 4, of_b = (of.b_columns + 3) / 4;
        if (four < of_a)
            return {neighbours<IsWhole, 4>(four * 4, of.a_columns), of.a, of.a_columns, 0};
        bool is_c = four >= of_a + of_b;
        return {
            neighbours<IsWhole, 4>((is_c ? four - of_a - of_b : four - of_a) * 4, of.b_columns), is_c ? of.c : of.b, of.b_columns,
            is_c ? of.a_columns + of.b_columns : of.a_columns};
    }

    template <int Rows> INLINE void rows(const Pack &of, const Place &at, i64 row, float *sums)
    {
        Raw<F, 4> read[Rows];
        UNROLL
        for (int r = 0; r < Rows; r++)
            read[r] = fetch<F>(at.from + (row + r) * at.own, at.n);
        UNROLL
        for (int r = 0; r < Rows; r++)
        {
            float v[4];
            put(of.y + (row + r) * columns(of) + at.before, read[r], at.n);
            widen(v, read[r]);
            UNROLL
            for (int k = 0; k < 4; k++)
                sums[k] += v[k];
        }
    }

    INLINE void finish(const Pack &of, const Place &at, i64 part, const float *sums)
    {
        if (of.sums)
            store<f32>(of.sums + part * columns(of) + at.before, sums, at.n);
    }
};

template <class F>
INLINE void pack(const Pack<F> &of, i64 rows, int part_rows)
{
    bool is_whole = of.a_columns % 4 == 0 && of.b_columns % 4 == 0 && is_aligned<4>(of.y) && is_aligned<4>(of.a) && is_aligned<4>(of.b)
        && is_aligned<4>(of.c) && is_aligned<4>(of.sums);
    down_parts<AHEAD>(of, rows, part_rows, (of.a_columns + 3) / 4 + 2 * (i64)((of.b_columns + 3) / 4), is_whole);
}

#define PACK(F) \
    extern "C" __global__ void pack_##F( \
        F::Element *y, const F::Element *a, const F::Element *b, const F::Element *c, int a_columns, int b_columns, float *sums, i64 rows, \
        int part_rows) \
    { \
        pack<F>({y, a, b, c, a_columns, b_columns, sums}, rows, part_rows); \
    } \
    ENTRY(pack_##F)

FOR_EACH_TYPE(PACK)
