// Residual sum and normalisation, forwards and backwards (src/Kernels/Rows/LayerNorm.cs, RmsNorm.cs, NormGradients.cs). 16 lanes take a
// row: lane l adds channels l, l + 16 ... in order. A root mean square norm is a layer norm whose means are null: they count as 0.

// Channels of a row that its lanes keep in registers, 64 each; the others are read again.
#define HELD 64

// Whether all rows end before channel 16 k: short rows, those of heads, leave the steps out. Asked every eighth step.
#define ENDS_BEFORE(k) ((k) % 8 == 0 && 16 * (k) >= columns)

// sum = x + branch where there is a branch, else x itself; y = (sum - mean) inverse gain (+ bias).
template <class Y, class X>
INLINE void norm_forward(
    typename Y::Element *__restrict__ y, float *sum, const typename X::Element *__restrict__ x,
    const typename Y::Element *__restrict__ branch, const float *__restrict__ gain, const float *__restrict__ bias, float *means,
    float *inverses, i64 rows, int columns, float epsilon)
{
    // As many rounds for each group of lanes: they change values together.
    i64 groups = grid_threads() / 16;
    for (i64 first = 0; first < rows; first += groups)
    {
        i64 row = first + first_index() / 16, at = row * columns;
        int end = row < rows ? columns : 0;
        float held[HELD], total = 0, squares = 0, mean = 0;
        UNROLL
        for (int k = 0; k < HELD; k++)
        {
            if (ENDS_BEFORE(k))
                break;
            if (int i = lane() + 16 * k; i < end)
                held[k] = X::load(x + at + i);
        }
        if (branch)
            UNROLL
            for (int k = 0; k < HELD; k++)
            {
                if (ENDS_BEFORE(k))
                    break;
                if (int i = lane() + 16 * k; i < end)
                    sum[at + i] = held[k] = held[k] + Y::load(branch + at + i);
            }
        UNROLL
        for (int k = 0; k < HELD; k++)
        {
            if (ENDS_BEFORE(k))
                break;
            if ((int)lane() + 16 * k < end)
                total += held[k];
        }
        for (int i = lane() + 16 * HELD; i < end; i += 16)
        {
            float v = X::load(x + at + i);
            if (branch)
                sum[at + i] = v = v + Y::load(branch + at + i);
            total += v;
        }
        if (means)
            mean = quotient(first_lane(fold(total)), columns);
        UNROLL
        for (int k = 0; k < HELD; k++)
        {
            if (ENDS_BEFORE(k))
                break;
            if ((int)lane() + 16 * k < end)
            {
                held[k] = held[k] - mean;
                squares = fused(held[k], held[k], squares);
            }
        }
        for (int i = lane() + 16 * HELD; i < end; i += 16)
        {
            float d = (branch ? sum[at + i] : X::load(x + at + i)) - mean;
            squares = fused(d, d, squares);
        }
        float inverse = reciprocal(root(quotient(first_lane(fold(squares)), columns) + epsilon));
        if (lane() == 0 && row < rows)
        {
            if (means)
                means[row] = mean;
            inverses[row] = inverse;
        }
        UNROLL
        for (int k = 0; k < HELD; k++)
        {
            if (ENDS_BEFORE(k))
                break;
            if (int i = lane() + 16 * k; i < end)
            {
                float n = held[k] * inverse;
                Y::store(y + at + i, bias ? fused(n, gain[i], bias[i]) : n * gain[i]);
            }
        }
        for (int i = lane() + 16 * HELD; i < end; i += 16)
        {
            float n = ((branch ? sum[at + i] : X::load(x + at + i)) - mean) * inverse;
            Y::store(y + at + i, bias ? fused(n, gain[i], bias[i]) : n * gain[i]);
        }
    }
}

// A row of dx = (dx +) inverse (g - Σ g / C - n Σ g n / C), g = dy gain, n = (x - mean) inverse; the same, rounded, in "narrow". All
// lanes of a warp come; those of an end of 0 have no row.
template <class Dx, class Dy, class X>
INLINE void norm_row_backward(
    typename Dx::Element *dx, typename Dy::Element *narrow, const typename Dy::Element *__restrict__ dy,
    const typename X::Element *__restrict__ x, const float *__restrict__ gain, float mean, float inverse, int end, int columns,
    bool has_means, int accumulate)
{
    float sum = 0, products = 0, a = 0;
    for (int first = lane(); first < end; first += 16 * AHEAD)
    {
        float g[AHEAD], n[AHEAD];
        UNROLL
        for (int k = 0; k < AHEAD; k++)
            if (int i = first + 16 * k; i < end)
            {
                g[k] = Dy::load(dy + i) * gain[i];
                n[k] = X::load(x + i);
            }
        UNROLL
        for (int k = 0; k < AHEAD; k++)
            if (first + 16 * k < end)
            {
                sum += g[k];
                products = fused(g[k], (n[k] - mean) * inverse, products);
            }
    }
    if (has_means)
        a = quotient(first_lane(fold(sum)), columns);
    float b = -quotient(first_lane(fold(products)), columns);
    for (int first = lane(); first < end; first += 16 * AHEAD)
    {
        float d[AHEAD], before[AHEAD];
        UNROLL
        for (int k = 0; k < AHEAD; k++)
            if (int i = first + 16 * k; i < end)
            {
                before[k] = accumulate ? Dx::load(dx + i) : 0;
                d[k] = inverse * fused((X::load(x + i) - mean) * inverse, b, Dy::load(dy + i) * gain[i] - a);
            }
        UNROLL
        for (int k = 0; k < AHEAD; k++)
            if (int i = first + 16 * k; i < end)
            {
                d[k] = accumulate ? before[k] + d[k] : d[k];
                Dx::store(dx + i, d[k]);
                if (narrow)
                    Dy::store(narrow + i, d[k]);
            }
    }
}

// Four columns of a thread, "apart" columns from each other, of the sums over rows [first, end): those of dy n for the gain and of dy for
// the bias, which go on from what is there unless they begin.
template <class Dy, class X>
INLINE void norm_columns_backward(
    float *gains, float *biases, const typename Dy::Element *__restrict__ dy, const typename X::Element *__restrict__ x,
    const float *__restrict__ means, const float *__restrict__ inverses, i64 first, i64 end, int column, int apart, int columns,
    bool begins)
{
    float gain[4] = {0, 0, 0, 0}, bias[4] = {0, 0, 0, 0};
    UNROLL
    for (int k = 0; k < 4; k++)
        if (int j = column + k * apart; !begins && j < columns)
        {
            gain[k] = gains[j];
            bias[k] = biases ? biases[j] : 0;
        }
    for (i64 row = first; row < end; row += 2)
    {
        float d[2][4], v[2][4];
        UNROLL
        for (int r = 0; r < 2; r++)
            UNROLL
            for (int k = 0; k < 4; k++)
                if (int j = column + k * apart; j < columns && row + r < end)
                {
                    d[r][k] = Dy::load(dy + (row + r) * columns + j);
                    v[r][k] = X::load(x + (row + r) * columns + j);
                }
        UNROLL
        for (int r = 0; r < 2; r++)
        {
            if (row + r >= end)
                break;
            float mean = means ? means[row + r] : 0, inverse = inverses[row + r];
            UNROLL
            for (int k = 0; k < 4; k++)
                if (column + k * apart < columns)
                {
                    gain[k] = fused(d[r][k], (v[r][k] - mean) * inverse, gain[k]);
                    bias[k] += d[r][k];
                }
        }
    }
    UNROLL
    for (int k = 0; k < 4; k++)
        if (int j = column + k * apart; j < columns)
        {
            gains[j] = gain[k];
            if (biases)
                biases[j] = bias[k];
        }
}

// Four columns of a thread of the sums of y over rows [first, end), likewise. Other threads of the block have written y.
template <class Y>
INLINE void sum_columns(
    float *sums, const typename Y::Element *y, i64 first, i64 end, int column, int apart, int columns, bool begins)
{
    float sum[4] = {0, 0, 0, 0};
    UNROLL
    for (int k = 0; k < 4; k++)
        if (int j = column + k * apart; !begins && j < columns)
            sum[k] = sums[j];
    for (i64 row = first; row < end; row += 2)
    {
        float v[2][4];
        UNROLL
        for (int r = 0; r < 2; r++)
            UNROLL
            for (int k = 0; k < 4; k++)
                if (int j = column + k * apart; j < columns && row + r < end)
                    v[r][k] = Y::load(y + (row + r) * columns + j);
        UNROLL
        for (int r = 0; r < 2; r++)
            UNROLL
            for (int k = 0; k < 4; k++)
                if (column + k * apart < columns && row + r < end)
                    sum[k] += v[r][k];
    }
    UNROLL
    for (int k = 0; k < 4; k++)
        if (int j = column + k * apart; j < columns)
            sums[j] = sum[k];
}

// A block has a part's rows, as many at once as it has groups of 16 lanes: it makes dx of them, where it is wanted, and goes through the
// same rows by columns, while they are in its cache. gains, biases and branches (parts, columns): fold_parts goes on with them; null where
// nothing is trained. branches are the sums of "narrow", or of dx where that is null: what a residual's branch gets, and so the gradient of
// the bias of the linear layer that made the branch. dx does not lie where dy or x does.
template <class Dx, class Dy, class X>
INLINE void norm_backward(
    typename Dx::Element *dx, typename Dy::Element *narrow, float *gains, float *biases, float *branches,
    const typename Dy::Element *dy, const typename X::Element *x, const float *gain, const float *means, const float *inverses, i64 rows,
    int part_rows, int columns, int accumulate)
{
    i64 begin = (i64)block_index() * part_rows, behind = begin + part_rows < rows ? begin + part_rows : rows;
    int groups = threads() / 16;
    for (i64 first = begin; first < behind; first += groups)
    {
        i64 row = first + thread_index() / 16, end = first + groups < behind ? first + groups : behind;
        if (dx)
        {
            bool is_row = row < behind;
            i64 at = is_row ? row * columns : 0;
            norm_row_backward<Dx, Dy, X>(
                dx + at, narrow ? narrow + at : narrow, dy + at, x + at, gain, is_row && means ? means[row] : 0, is_row ? inverses[row] : 0,
                is_row ? columns : 0, columns, means, accumulate);
        }
        i64 part = (i64)block_index() * columns;
        for (int column = thread_index(); gains && column < columns; column += 4 * threads())
            norm_columns_backward<Dy, X>(
                gains + part, biases ? biases + part : biases, dy, x, means, inverses, first, end, column, threads(), columns,
                first == begin);
        // Rows that follow are others: nobody writes what a thread still reads here.
        if (branches)
            barrier();
        for (int column = thread_index(); branches && column < columns; column += 4 * threads())
            if (narrow)
                sum_columns<Dy>(branches + part, narrow, first, end, column, threads(), columns, first == begin);
            else
                sum_columns<Dx>(branches + part, dx, first, end, column, threads(), columns, first == begin);
    }
}

#define NORM_FORWARD(Y, X) \
    extern "C" __global__ void norm_forward_##Y##_##X( \
        Y::Element *y, float *sum, const X::Element *x, const Y::Element *branch, const float *gain, const float *bias, float *means, \
        float *inverses, i64 rows, int columns, float epsilon) \
    { \
        norm_forward<Y, X>(y, sum, x, branch, gain, bias, means, inverses, rows, columns, epsilon); \
    } \
    ENTRY(norm_forward_##Y##_##X)

// Four blocks at once: those of a GPU of 132 multiprocessors have the 512 parts of 8,192 to 65,536 rows all at once.
#define NORM_BACKWARD(Dx, Dy, X) \
    extern "C" __global__ void RESIDENT(256, 4) norm_backward_##Dx##_##Dy##_##X( \
        Dx::Element *dx, Dy::Element *narrow, float *gains, float *biases, float *branches, const Dy::Element *dy, const X::Element *x, \
        const float *gain, const float *means, const float *inverses, i64 rows, int part_rows, int columns, int accumulate) \
    { \
        norm_backward<Dx, Dy, X>( \
            dx, narrow, gains, biases, branches, dy, x, gain, means, inverses, rows, part_rows, columns, accumulate); \
    } \
    ENTRY(norm_backward_##Dx##_##Dy##_##X)

// What a norm makes is narrow. It reads the residual stream or a narrow value, whose gradient is fp32 while readers add to it.
#define NARROW_NORMS(N) NORM_FORWARD(N, f32) NORM_FORWARD(N, N) NORM_BACKWARD(f32, N, f32) NORM_BACKWARD(f32, N, N) NORM_BACKWARD(N, N, N)

NORM_FORWARD(f32, f32)
NORM_BACKWARD(f32, f32, f32)
FOR_EACH_NARROW_TYPE(NARROW_NORMS)
