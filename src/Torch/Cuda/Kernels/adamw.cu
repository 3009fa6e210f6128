// AdamW over a range of flat vectors (src/Kernels/Optimization/AdamWUpdate.cs).

#define SMALLEST_MOMENT 1.17549435e-38f

// The numbers of a step: src/Kernels/Optimization/AdamWStep.cs computes them.
struct AdamWStep
{
    float clip, decay, beta1, beta2, rest1, rest2, rate, root_correction, epsilon;
};

extern "C" __global__ void adamw_update(
    float *parameters, const float *gradients, float *first_moments, float *second_moments, i64 count, AdamWStep step)
{
    for (i64 i = first_index(); i < count; i += grid_threads())
    {
        float g = gradients[i] * step.clip;
        float m = fused(first_moments[i], step.beta1, g * step.rest1);
        float v = fused(second_moments[i], step.beta2, g * step.rest2 * g);
        m = SMALLEST_MOMENT > of_bits(bits_of(m) & 0x7fffffff) ? 0 : m;
        v = SMALLEST_MOMENT > v ? 0 : v;
        parameters[i] = parameters[i] * step.decay - quotient(step.rate * m, fused(root(v), step.root_correction, step.epsilon));
        first_moments[i] = m;
        second_moments[i] = v;
    }
}
ENTRY(adamw_update)
