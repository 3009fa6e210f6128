// AdamW over a range of flat vectors (src/Kernels/Optimization/AdamWUpdate.cs), and the new parameters in 16 bits besides, where products
// read them so: what the update has at hand need not be read again. A thread has four neighbours, 16 bytes of each vector.

#define SMALLEST_MOMENT 1.17549435e-38f

// The numbers of a step: src/Kernels/Optimization/AdamWStep.cs computes them.
struct AdamWStep
{
    float clip, decay, beta1, beta2, rest1, rest2, rate, root_correction, epsilon;
};

template <class Copy>
INLINE void adamw(
    float *parameters, const float *gradients, float *first_moments, float *second_moments, typename Copy::Element *copy, i64 count,
    const AdamWStep &step)
{
    bool aligned = is_aligned<4>(parameters) && is_aligned<4>(gradients) && is_aligned<4>(first_moments) && is_aligned<4>(second_moments)
        && is_aligned<4>(copy);
    for (i64 i = 4 * first_index(); i < count; i += 4 * grid_threads())
    {
        Neighbours<4> n(i, count, aligned);
        float p[4], g[4], m[4], v[4];
        load<f32>(p, parameters, n);
        load<f32>(g, gradients, n);
        load<f32>(m, first_moments, n);
        load<f32>(v, second_moments, n);
        UNROLL
        for (int k = 0; k < 4; k++)
        {
            g[k] = g[k] * step.clip;
            m[k] = fused(m[k], step.beta1, g[k] * step.rest1);
            v[k] = fused(v[k], step.beta2, g[k] * step.rest2 * g[k]);
            m[k] = SMALLEST_MOMENT > of_bits(bits_of(m[k]) & 0x7fffffff) ? 0 : m[k];
            v[k] = SMALLEST_MOMENT > v[k] ? 0 : v[k];
            p[k] = p[k] * step.decay - quotient(step.rate * m[k], fused(root(v[k]), step.root_correction, step.epsilon));
        }
        store<f32>(parameters, p, n);
        store<f32>(first_moments, m, n);
        store<f32>(second_moments, v, n);
        if (copy)
            store<Copy>(copy, p, n);
    }
}

extern "C" __global__ void adamw_update(
    float *parameters, const float *gradients, float *first_moments, float *second_moments, i64 count, AdamWStep step)
{
    adamw<f32>(parameters, gradients, first_moments, second_moments, nullptr, count, step);
}
ENTRY(adamw_update)

#define ADAMW(Copy) \
    extern "C" __global__ void adamw_update_##Copy( \
        float *parameters, const float *gradients, float *first_moments, float *second_moments, Copy::Element *copy, i64 count, \
        AdamWStep step) \
    { \
        adamw<Copy>(parameters, gradients, first_moments, second_moments, copy, count, step); \
    } \
    ENTRY(adamw_update_##Copy)

FOR_EACH_NARROW_TYPE(ADAMW)
