// Dropout (src/Kernels/Rows/Dropout.cs): element i of a site is kept if word i of its key's sequence is not below the threshold. The words
// are Philox4x32-10's (Salmon et al. 2011): word i is word i % 4 of counter i / 4. A thread draws a counter and has its four elements.

INLINE void philox(u64 key, u64 counter, u32 third, u32 *words)
{
    u32 a = (u32)counter, b = (u32)(counter >> 32), c = third, d = 0, key0 = (u32)key, key1 = (u32)(key >> 32);
    for (int round = 0; round < 10; round++)
    {
        u32 high0 = multiply_high(a, 0xd2511f53), low0 = a * 0xd2511f53, high1 = multiply_high(c, 0xcd9e8d57), low1 = c * 0xcd9e8d57;
        a = high1 ^ b ^ key0;
        c = high0 ^ d ^ key1;
        b = low1;
        d = low0;
        key0 += 0x9e3779b9;
        key1 += 0xbb67ae85;
    }
    words[0] = a;
    words[1] = b;
    words[2] = c;
    words[3] = d;
}

// y[i] = (residual[i] +) (keep ? x[i] scale : +0); x[0] is element "first" of its site. A threshold of 0 keeps all.
template <class Y, class X, class R>
INLINE void dropout(
    typename Y::Element *y, const typename X::Element *x, const typename R::Element *residual, u64 key, i64 first, i64 count,
    u32 threshold, float scale)
{
    bool aligned = first % 4 == 0 && is_aligned<4>(y) && is_aligned<4>(x) && is_aligned<4>(residual);
    i64 end = first + count;
    for (i64 counter = first / 4 + first_index(); counter * 4 < end; counter += grid_threads())
    {
        u32 words[4];
        philox(key, (u64)counter, 0, words);
        // The first and the last counter may reach beyond this range of the site.
        Neighbours<4> n(counter * 4 - first, count, aligned);
        float v[4], r[4];
        load<X>(v, x, n);
        if (residual)
            load<R>(r, residual, n);
        UNROLL
        for (int k = 0; k < 4; k++)
        {
            float kept = words[k] >= threshold ? v[k] * scale : 0;
            v[k] = residual ? r[k] + kept : kept;
        }
        store<Y>(y, v, n);
    }
}

#define DROPOUT(Y, X, R) \
    extern "C" __global__ void dropout_##Y##_##X##_##R( \
        Y::Element *y, const X::Element *x, const R::Element *residual, u64 key, i64 first, i64 count, u32 threshold, float scale) \
    { \
        dropout<Y, X, R>(y, x, residual, key, first, count, threshold, scale); \
    } \
    ENTRY(dropout_##Y##_##X##_##R)

// A branch onto the residual stream or onto a narrow value; its gradient; a narrow value alone, and its gradient.
#define NARROW_DROPOUTS(N) DROPOUT(f32, N, f32) DROPOUT(f32, N, N) DROPOUT(N, f32, N) DROPOUT(N, N, N)

DROPOUT(f32, f32, f32)
FOR_EACH_NARROW_TYPE(NARROW_DROPOUTS)
