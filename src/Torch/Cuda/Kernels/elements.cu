// Sums and conversions, element by element (src/Kernels/Rows/Ranges.cs).

// y = x + scale branch, rounded to fp32 once: residuals, shares of adapters, gradients that meet. y may be x or the branch.
template <class Y, class X, class B>
INLINE void scaled_sum(
    typename Y::Element *y, const typename X::Element *x, const typename B::Element *branch, float scale, i64 count)
{
    bool aligned = is_aligned<WIDTH>(y) && is_aligned<WIDTH>(x) && is_aligned<WIDTH>(branch);
    for (i64 i = WIDTH * first_index(); i < count; i += WIDTH * grid_threads())
    {
        Eight n(i, count, aligned);
        float a[WIDTH], b[WIDTH];
        load<X>(a, x, n);
        load<B>(b, branch, n);
        UNROLL
        for (int k = 0; k < WIDTH; k++)
            a[k] = fused(b[k], scale, a[k]);
        store<Y>(y, a, n);
    }
}

// y = factor x. With a factor of 1 it is a conversion.
template <class Y, class X>
INLINE void scaled(typename Y::Element *y, const typename X::Element *x, float factor, i64 count)
{
    bool aligned = is_aligned<WIDTH>(y) && is_aligned<WIDTH>(x);
    for (i64 i = WIDTH * first_index(); i < count; i += WIDTH * grid_threads())
    {
        Eight n(i, count, aligned);
        float a[WIDTH];
        load<X>(a, x, n);
        UNROLL
        for (int k = 0; k < WIDTH; k++)
            a[k] = a[k] * factor;
        store<Y>(y, a, n);
    }
}

#define SCALED_SUM(Y, X, B) \
    extern "C" __global__ void scaled_sum_##Y##_##X##_##B( \
        Y::Element *y, const X::Element *x, const B::Element *branch, float scale, i64 count) \
    { \
        scaled_sum<Y, X, B>(y, x, branch, scale, count); \
    } \
    ENTRY(scaled_sum_##Y##_##X##_##B)

#define SCALED(Y, X) \
    extern "C" __global__ void scaled_##Y##_##X(Y::Element *y, const X::Element *x, float factor, i64 count) \
    { \
        scaled<Y, X>(y, x, factor, count); \
    } \
    ENTRY(scaled_##Y##_##X)

// Onto the residual stream, of what is wide or narrow; and of narrow values, an adapter's share.
#define NARROW_SUMS(N) SCALED_SUM(f32, f32, N) SCALED_SUM(f32, N, N) SCALED_SUM(N, N, N) SCALED(f32, N) SCALED(N, f32) SCALED(N, N)

SCALED_SUM(f32, f32, f32)
SCALED(f32, f32)
FOR_EACH_NARROW_TYPE(NARROW_SUMS)
