// GELU by the hyperbolic tangent and by the error function, and their gradients (src/Kernels/Rows/Activations.cs).

#define LINEAR 1.59576912f
#define CUBIC 0.0713548163f

extern "C" __global__ void gelu_tanh_forward(float *y, const float *x, i64 count)
{
    for (i64 i = first_index(); i < count; i += grid_threads())
    {
        float v = x[i], complement;
        y[i] = v * sigmoid(v * fused(v * v, CUBIC, LINEAR), &complement);
    }
}

extern "C" __global__ void gelu_tanh_backward(float *dx, const float *dy, const float *x, i64 count)
{
    for (i64 i = first_index(); i < count; i += grid_threads())
    {
        float v = x[i], square = v * v, complement;
        float s = sigmoid(v * fused(square, CUBIC, LINEAR), &complement);
        dx[i] = dy[i] * fused(v * fused(square, 3 * CUBIC, LINEAR), s * complement, s);
    }
}

INLINE float normal(float x) { return fused(erf_of(x * 0.707106769f), 0.5f, 0.5f); }

extern "C" __global__ void gelu_erf_forward(float *y, const float *x, i64 count)
{
    for (i64 i = first_index(); i < count; i += grid_threads())
        y[i] = x[i] * normal(x[i]);
}

extern "C" __global__ void gelu_erf_backward(float *dx, const float *dy, const float *x, i64 count)
{
    for (i64 i = first_index(); i < count; i += grid_threads())
    {
        float v = x[i];
        dx[i] = dy[i] * fused(v * 0.398942292f, exp_or_zero(v * v * -0.5f), normal(v));
    }
}
