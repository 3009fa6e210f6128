// Rotary positions (src/Kernels/Rows/Rotary.cs), in place: channels j and j + pairs of each head turn by the angle of the row's position,
// which is its place in a sequence of so many rows. A thread has four neighbouring pairs.
template <class F>
INLINE void rotary(
    typename F::Element *x, i64 stride, i64 rows, int heads, int length, const float *cosines, const float *sines, int pairs,
    int is_backward)
{
    i64 fours = (pairs + 3) / 4, count = rows * heads * fours;
    bool aligned = is_aligned<4>(x) && stride % 4 == 0 && pairs % 4 == 0 && is_aligned<4>(cosines) && is_aligned<4>(sines);
    u32 turned = is_backward ? 0x80000000 : 0;
    for (i64 i = first_index(); i < count; i += grid_threads())
    {
        i64 head = i / fours, row = head / heads;
        Neighbours<4> n(i % fours * 4, pairs, aligned);
        typename F::Element *at = x + row * stride + head % heads * 2 * pairs;
        i64 angle = row % length * pairs;
        float a[4], b[4], c[4], s[4];
        load<F>(a, at, n);
        load<F>(b, at + pairs, n);
        load<f32>(c, cosines + angle, n);
        load<f32>(s, sines + angle, n);
        UNROLL
        for (int k = 0; k < 4; k++)
        {
            float sine = of_bits(bits_of(s[k]) ^ turned), first = a[k];
            a[k] = fused(a[k], c[k], b[k] * of_bits(bits_of(sine) ^ 0x80000000));
            b[k] = fused(b[k], c[k], first * sine);
        }
        store<F>(at, a, n);
        store<F>(at + pairs, b, n);
    }
}

#define ROTARY(F) \
    extern "C" __global__ void rotary_##F( \
        F::Element *x, i64 stride, i64 rows, int heads, int length, const float *cosines, const float *sines, int pairs, int is_backward) \
    { \
        rotary<F>(x, stride, rows, heads, length, cosines, sines, pairs, is_backward); \
    } \
    ENTRY(rotary_##F)

FOR_EACH_TYPE(ROTARY)
