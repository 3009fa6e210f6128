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

template <class Function, class F> struct Values
{
    typename F::Element *y;
    const typename F::Element *x;
    typedef Raw<F, WIDTH> Read;

    INLINE Read read(const Values &of, Eight n) { return fetch<F>(of.x, n); }

    INLINE void write(const Values &of, Read read, Eight n)
    {
        float a[WIDTH];
        widen(a, read);
        UNROLL
        for (int k = 0; k < WIDTH; k++)
            a[k] = Function::value(a[k]);
        store<F>(of.y, a, n);
    }
};

template <class Function, class F> INLINE void values(typename F::Element *y, const typename F::Element *x, i64 count)
{
    over_eights(Values<Function, F>{y, x}, count, is_aligned<WIDTH>(y) && is_aligned<WIDTH>(x));
}

template <class Function, class F> struct Gradients
{
    typename F::Element *dx;
    const typename F::Element *dy, *x;
    struct Read { Raw<F, WIDTH> x, dy; };

    INLINE Read read(const Gradients &of, Eight n) { return {fetch<F>(of.x, n), fetch<F>(of.dy, n)}; }

    INLINE void write(const Gradients &of, const Read &read, Eight n)
    {
        float a[WIDTH], d[WIDTH];
        widen(a, read.x);
        widen(d, read.dy);
        UNROLL
        for (int k = 0; k < WIDTH; k++)
            d[k] = d[k] * Function::slope(a[k]);
        store<F>(of.dx, d, n);
    }
};

template <class Function, class F>
INLINE void gradients(typename F::Element *dx, const typename F::Element *dy, const typename F::Element *x, i64 count)
{
    over_eights(Gradients<Function, F>{dx, dy, x}, count, is_aligned<WIDTH>(dx) && is_aligned<WIDTH>(dy) && is_aligned<WIDTH>(x));
}

// The same of (rows, columns), and sums (parts, columns) of what dx is, part by part, as column_sums makes them: fold_parts goes on with
// them. They are the gradient of the bias of the linear layer that made x, for which dx is not read again. A thread goes down a part's rows
// with eight neighbouring columns, two rows at a time: 64 bytes on their way. 1,024 threads on each of 132 multiprocessors have 8.6 MB so,
// where an H100's bandwidth times the latency of its memory (about 0.7 us) is 2.3. The 512 parts of 8,192 rows and more have, at 3,072
// columns, 196,608 threads, where that GPU has 135,168 at once; the 64 parts of 1,024 rows have 24,576: 1.6 MB.
template <class Function, class F> struct GradientsAndSums
{
    static const int Columns = WIDTH;
    typename F::Element *dx;
    const typename F::Element *dy, *x;
    float *sums;
    int columns;
    typedef Eight Place;

    template <bool IsWhole> INLINE Place place(const GradientsAndSums &of, i64 eight)
    {
        return neighbours<IsWhole, WIDTH>(eight * WIDTH, of.columns);
    }

    template <int Rows> INLINE void rows(const GradientsAndSums &of, Eight n, i64 row, float *sums)
    {
        Raw<F, WIDTH> a[Rows], d[Rows];
        UNROLL
        for (int r = 0; r < Rows; r++)
        {
            a[r] = fetch<F>(of.x + (row + r) * of.columns, n);
            d[r] = fetch<F>(of.dy + (row + r) * of.columns, n);
        }
        UNROLL
        for (int r = 0; r < Rows; r++)
        {
            float x[WIDTH], dx[WIDTH];
            widen(x, a[r]);
            widen(dx, d[r]);
            UNROLL
            for (int k = 0; k < WIDTH; k++)
                dx[k] = dx[k] * Function::slope(x[k]);
            // What lies in memory, rounded, is what counts.
            Raw<F, WIDTH> made = narrow<F, WIDTH>(dx);
            put(of.dx + (row + r) * of.columns, made, n);
            widen(dx, made);
            UNROLL
            for (int k = 0; k < WIDTH; k++)
                sums[k] += dx[k];
        }
    }

    INLINE void finish(const GradientsAndSums &of, Eight n, i64 part, const float *sums)
    {
        store<f32>(of.sums + part * of.columns, sums, n);
    }
};

template <class Function, class F>
INLINE void gradients_and_sums(
    typename F::Element *dx, const typename F::Element *dy, const typename F::Element *x, float *sums, i64 rows, int part_rows, int columns)
{
    bool is_whole = columns % WIDTH == 0 && is_aligned<WIDTH>(dx) && is_aligned<WIDTH>(dy) && is_aligned<WIDTH>(x)
        && is_aligned<WIDTH>(sums);
    down_parts<2>(GradientsAndSums<Function, F>{dx, dy, x, sums, columns}, rows, part_rows, (columns + WIDTH - 1) / WIDTH, is_whole);
}

// y = silu(gate) up
template <class F> struct SwiGlu
{
    typename F::Element *y;
    const typename F::Element *gate, *up;
    struct Read { Raw<F, WIDTH> gate, up; };

    INLINE Read read(const SwiGlu &of, Eight n) { return {fetch<F>(of.gate, n), fetch<F>(of.up, n)}; }

    INLINE void write(const SwiGlu &of, const Read &read, Eight n)
    {
        float g[WIDTH], u[WIDTH], complement;
        widen(g, read.gate);
        widen(u, read.up);
        UNROLL
        for (int k = 0; k < WIDTH; k++)
            u[k] = g[k] * sigmoid(g[k], &complement) * u[k];
        store<F>(of.y, u, n);
    }
};

template <class F>
INLINE void swiglu(typename F::Element *y, const typename F::Element *gate, const typename F::Element *up, i64 count)
{
    over_eights(SwiGlu<F>{y, gate, up}, count, is_aligned<WIDTH>(y) && is_aligned<WIDTH>(gate) && is_aligned<WIDTH>(up));
}

// The gradients may lie where gate and up do.
template <class F> struct SwiGluBackward
{
    typename F::Element *d_gate, *d_up;
    const typename F::Element *dy, *gate, *up;
    struct Read { Raw<F, WIDTH> gate, up, dy; };

    INLINE Read read(const SwiGluBackward &of, Eight n)
    {
        return {fetch<F>(of.gate, n), fetch<F>(of.up, n), fetch<F>(of.dy, n)};
    }

    INLINE void write(const SwiGluBackward &of, const Read &read, Eight n)
    {
        float g[WIDTH], u[WIDTH], d[WIDTH];
        widen(g, read.gate);
        widen(u, read.up);
        widen(d, read.dy);
        UNROLL
        for (int k = 0; k < WIDTH; k++)
        {
            float complement, s = sigmoid(g[k], &complement);
            u[k] = d[k] * u[k] * fused(g[k], s * complement, s);
            g[k] = d[k] * (g[k] * s);
        }
        store<F>(of.d_gate, u, n);
        store<F>(of.d_up, g, n);
    }
};

template <class F>
INLINE void swiglu_backward(
    typename F::Element *d_gate, typename F::Element *d_up, const typename F::Element *dy, const typename F::Element *gate,
    const typename F::Element *up, i64 count)
{
    bool aligned = is_aligned<WIDTH>(d_gate) && is_aligned<WIDTH>(d_up) && is_aligned<WIDTH>(dy) && is_aligned<WIDTH>(gate)
        && is_aligned<WIDTH>(up);
    over_eights(SwiGluBackward<F>{d_gate, d_up, dy, gate, up}, count, aligned);
}

// A function is named by its number: of all threads the same, so the choice costs nothing. Four blocks at once leave a thread 64 registers,
// which is enough, and have 32 bytes and more of 1,024 threads on their way: more than a multiprocessor's share of the memory's bandwidth
// times its latency.
#define ACTIVATIONS(F) \
    extern "C" __global__ void RESIDENT(256, 4) activation_##F(F::Element *y, const F::Element *x, i64 count, int function) \
    { \
        if (function == 0) \
            values<GeluTanh, F>(y, x, count); \
        else if (function == 1) \
            values<GeluErf, F>(y, x, count); \
        else \
            values<Relu, F>(y, x, count); \
    } \
    ENTRY(activation_##F) \
    extern "C" __global__ void RESIDENT(256, 4) activation_backward_##F( \
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
    extern "C" __global__ void RESIDENT(256, 4) activation_backward_sums_##F( \
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
    extern "C" __global__ void RESIDENT(256, 4) swiglu_##F(F::Element *y, const F::Element *gate, const F::Element *up, i64 count) \
    { \
        swiglu<F>(y, gate, up, count); \
    } \
    ENTRY(swiglu_##F) \
    extern "C" __global__ void RESIDENT(256, 4) swiglu_backward_##F( \
        F::Element *d_gate, F::Element *d_up, const F::Element *dy, const F::Element *gate, const F::Element *up, i64 count) \
    { \
        swiglu_backward<F>(d_gate, d_up, dy, gate, up, count); \
    } \
    ENTRY(swiglu_backward_##F)

FOR_EACH_TYPE(ACTIVATIONS)
