// Functions of one number and their gradients, and SwiGLU (src/Kernels/Rows/Activations.cs).

#define LINEAR 1.59576912f
#define CUBIC 0.0713548163f

struct GeluTanh
{
    INLINE float value(float x)
    {
        float complement;
        return x * sigmoid(x * fused(x * x, CUBIC, LINEAR), &complement);
    }

    INLINE float slope(float x)
    {
        float square = x * x, complement;
        float s = sigmoid(x * fused(square, CUBIC, LINEAR), &complement);
        return fused(x * fused(square, 3 * CUBIC, LINEAR), s * complement, s);
    }
};

struct GeluErf
{
    INLINE float normal(float x) { return fused(erf_of(x * 0.707106769f), 0.5f, 0.5f); }
    INLINE float value(float x) { return x * normal(x); }
    INLINE float slope(float x) { return fused(x * 0.398942292f, exp_or_zero(x * x * -0.5f), normal(x)); }
};

struct Relu
{
    INLINE float value(float x) { return 0 > x ? 0 : x; }
    INLINE float slope(float x) { return x > 0 ? 1.0f : 0; }
};

template <class Function, class F> INLINE void values(typename F::Element *y, const typename F::Element *x, i64 count)
{
    bool aligned = is_aligned<WIDTH>(y) && is_aligned<WIDTH>(x);
    for (i64 i = WIDTH * first_index(); i < count; i += WIDTH * grid_threads())
    {
        Eight n(i, count, aligned);
        float a[WIDTH];
        load<F>(a, x, n);
        UNROLL
        for (int k = 0; k < WIDTH; k++)
            a[k] = Function::value(a[k]);
        store<F>(y, a, n);
    }
}

template <class Function, class F>
INLINE void gradients(typename F::Element *dx, const typename F::Element *dy, const typename F::Element *x, i64 count)
{
    bool aligned = is_aligned<WIDTH>(dx) && is_aligned<WIDTH>(dy) && is_aligned<WIDTH>(x);
    for (i64 i = WIDTH * first_index(); i < count; i += WIDTH * grid_threads())
    {
        Eight n(i, count, aligned);
        float a[WIDTH], d[WIDTH];
        load<F>(a, x, n);
        load<F>(d, dy, n);
        UNROLL
        for (int k = 0; k < WIDTH; k++)
            d[k] = d[k] * Function::slope(a[k]);
        store<F>(dx, d, n);
    }
}

// The same of (rows, columns), and sums (parts, columns) of what dx is, part by part, as column_sums makes them: fold_parts goes on with
// them. They are the gradient of the bias of the linear layer that made x, for which dx is not read again. A thread goes down a part's rows
// with four neighbouring columns, so a warp has 128 neighbours of a row, whole sectors of memory. The 512 parts of 8,192 rows and more
// have, at 3,072 columns, 393,216 threads, where an H100 holds 270,336; the 64 parts of 1,024 rows have 49,152 yet, each with 64 bytes on
// their way: 3 MB, where that GPU's bandwidth times the latency of its memory (about 0.7 us) is 2.3.
template <class Function, class F>
INLINE void gradients_and_sums(
    typename F::Element *dx, const typename F::Element *dy, const typename F::Element *x, float *sums, i64 rows, int part_rows, int columns)
{
    const int AtOnce = AHEAD / 2;
    i64 parts = (rows + part_rows - 1) / part_rows, fours = (columns + 3) / 4;
    bool aligned = columns % 4 == 0 && is_aligned<4>(dx) && is_aligned<4>(dy) && is_aligned<4>(x) && is_aligned<4>(sums);
    for (i64 i = first_index(); i < parts * fours; i += grid_threads())
    {
        i64 part = i / fours, first = part * part_rows, end = first + part_rows < rows ? first + part_rows : rows;
        Neighbours<4> n(i % fours * 4, columns, aligned);
        float sum[4] = {0, 0, 0, 0};
        for (; first < end; first += AtOnce)
        {
            float a[AtOnce][4], d[AtOnce][4];
            UNROLL
            for (int r = 0; r < AtOnce; r++)
                if (first + r < end)
                {
                    load<F>(a[r], x + (first + r) * columns, n);
                    load<F>(d[r], dy + (first + r) * columns, n);
                }
            UNROLL
            for (int r = 0; r < AtOnce; r++)
            {
                if (first + r >= end)
                    break;
                UNROLL
                for (int k = 0; k < 4; k++)
                {
                    // What lies in memory, rounded, is what counts.
                    d[r][k] = F::widen(F::narrow(d[r][k] * Function::slope(a[r][k])));
                    sum[k] += d[r][k];
                }
                store<F>(dx + (first + r) * columns, d[r], n);
            }
        }
        store<f32>(sums + part * columns, sum, n);
    }
}

// y = silu(gate) up
template <class F>
INLINE void swiglu(typename F::Element *y, const typename F::Element *gate, const typename F::Element *up, i64 count)
{
    bool aligned = is_aligned<WIDTH>(y) && is_aligned<WIDTH>(gate) && is_aligned<WIDTH>(up);
    for (i64 i = WIDTH * first_index(); i < count; i += WIDTH * grid_threads())
    {
        Eight n(i, count, aligned);
        float g[WIDTH], u[WIDTH], complement;
        load<F>(g, gate, n);
        load<F>(u, up, n);
        UNROLL
        for (int k = 0; k < WIDTH; k++)
            u[k] = g[k] * sigmoid(g[k], &complement) * u[k];
        store<F>(y, u, n);
    }
}

// The gradients may lie where gate and up do.
template <class F>
INLINE void swiglu_backward(
    typename F::Element *d_gate, typename F::Element *d_up, const typename F::Element *dy, const typename F::Element *gate,
    const typename F::Element *up, i64 count)
{
    bool aligned = is_aligned<WIDTH>(d_gate) && is_aligned<WIDTH>(d_up) && is_aligned<WIDTH>(dy) && is_aligned<WIDTH>(gate)
        && is_aligned<WIDTH>(up);
    for (i64 i = WIDTH * first_index(); i < count; i += WIDTH * grid_threads())
    {
        Eight n(i, count, aligned);
        float g[WIDTH], u[WIDTH], d[WIDTH];
        load<F>(g, gate, n);
        load<F>(u, up, n);
        load<F>(d, dy, n);
        UNROLL
        for (int k = 0; k < WIDTH; k++)
        {
            float complement, s = sigmoid(g[k], &complement);
            u[k] = d[k] * u[k] * fused(g[k], s * complement, s);
            g[k] = d[k] * (g[k] * s);
        }
        store<F>(d_gate, u, n);
        store<F>(d_up, g, n);
    }
}

// A function is named by its number: of all threads the same, so the choice costs nothing.
#define ACTIVATIONS(F) \
    extern "C" __global__ void activation_##F(F::Element *y, const F::Element *x, i64 count, int function) \
    { \
        if (function == 0) \
            values<GeluTanh, F>(y, x, count); \
        else if (function == 1) \
            values<GeluErf, F>(y, x, count); \
        else \
            values<Relu, F>(y, x, count); \
    } \
    ENTRY(activation_##F) \
    extern "C" __global__ void activation_backward_##F( \
        F::Element *dx, const F::Element *dy, const F::Element *x, i64 count, int function) \
    { \
        if (function == 0) \
            gradients<GeluTanh, F>(dx, dy, x, count); \
        else if (function == 1) \
            gradients<GeluErf, F>(dx, dy, x, count); \
        else \
            gradients<Relu, F>(dx, dy, x, count); \
    } \
    ENTRY(activation_backward_##F) \
    extern "C" __global__ void activation_backward_sums_##F( \
        F::Element *dx, const F::Element *dy, const F::Element *x, float *sums, i64 rows, int part_rows, int columns, int function) \
    { \
        if (function == 0) \
            gradients_and_sums<GeluTanh, F>(dx, dy, x, sums, rows, part_rows, columns); \
        else if (function == 1) \
            gradients_and_sums<GeluErf, F>(dx, dy, x, sums, rows, part_rows, columns); \
        else \
            gradients_and_sums<Relu, F>(dx, dy, x, sums, rows, part_rows, columns); \
    } \
    ENTRY(activation_backward_sums_##F) \
    extern "C" __global__ void swiglu_##F(F::Element *y, const F::Element *gate, const F::Element *up, i64 count) \
    { \
        swiglu<F>(y, gate, up, count); \
    } \
    ENTRY(swiglu_##F) \
    extern "C" __global__ void swiglu_backward_##F( \
        F::Element *d_gate, F::Element *d_up, const F::Element *dy, const F::Element *gate, const F::Element *up, i64 count) \
    { \
        swiglu_backward<F>(d_gate, d_up, dy, gate, up, count); \
    } \
    ENTRY(swiglu_backward_##F)

FOR_EACH_TYPE(ACTIVATIONS)
