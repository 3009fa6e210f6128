// Sums and conversions, element by element (src/Kernels/Rows/Ranges.cs).

// y = x + scale branch, rounded to fp32 once: residuals, shares of adapters, gradients that meet. y may be x or the branch.
template <class Y, class X, class B> struct ScaledSum
{
    typename Y::Element *y;
    const typename X::Element *x;
    const typename B::Element *branch;
    float scale;
    struct Read { Raw<X, WIDTH> x; Raw<B, WIDTH> branch; };

    INLINE Read read(const ScaledSum &of, Eight n) { return {fetch<X>(of.x, n), fetch<B>(of.branch, n)}; }

    INLINE void write(const ScaledSum &of, const Read &read, Eight n)
    {
        float a[WIDTH], b[WIDTH];
        widen(a, read.x);
        widen(b, read.branch);
        UNROLL
        for (int k = 0; k < WIDTH; k++)
            a[k] = fused(b[k], of.scale, a[k]);
        store<Y>(of.y, a, n);
    }
};

// y = factor x. With a factor of 1 it is a conversion.
template <class Y, class X> struct Scaled
{
    typename Y::Element *y;
    const typename X::Element *x;
    float factor;
    typedef Raw<X, WIDTH> Read;

    INLINE Read read(const Scaled &of, Eight n) { return fetch<X>(of.x, n); }

    INLINE void write(const Scaled &of, const Read &read, Eight n)
    {
        float a[WIDTH];
        widen(a, read);
        UNROLL
        for (int k = 0; k < WIDTH; k++)
            a[k] = a[k] * of.factor;
        store<Y>(of.y, a, n);
    }
};

#define SCALED_SUM(Y, X, B) \
    extern "C" __global__ void scaled_sum_##Y##_##X##_##B( \
        Y::Element *y, const X::Element *x, const B::Element *branch, float scale, i64 count) \
    { \
        over_eights( \
            ScaledSum<Y, X, B>{y, x, branch, scale}, count, is_aligned<WIDTH>(y) && is_aligned<WIDTH>(x) && is_aligned<WIDTH>(branch)); \
    } \
    ENTRY(scaled_sum_##Y##_##X##_##B)

#define SCALED(Y, X) \
    extern "C" __global__ void scaled_##Y##_##X(Y::Element *y, const X::Element *x, float factor, i64 count) \
    { \
        over_eights(Scaled<Y, X>{y, x, factor}, count, is_aligned<WIDTH>(y) && is_aligned<WIDTH>(x)); \
    } \
    ENTRY(scaled_##Y##_##X)

// Onto the residual stream, of what is wide or narrow; and of narrow values, an adapter's share.
#define NARROW_SUMS(N) SCALED_SUM(f32, f32, N) SCALED_SUM(f32, N, N) SCALED_SUM(N, N, N) SCALED(f32, N) SCALED(N, f32) SCALED(N, N)

SCALED_SUM(f32, f32, f32)
SCALED(f32, f32)
FOR_EACH_NARROW_TYPE(NARROW_SUMS)
