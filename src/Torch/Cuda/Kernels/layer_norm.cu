// Residual sum and layer normalisation, forwards and backwards (src/Kernels/Rows/LayerNorm.cs). 16 lanes take a row: lane l adds channels
// l, l + 16 ... in order.

// sum = x + branch where there is a branch, else x itself; y = (sum - mean) inverse gain (+ bias).
extern "C" __global__ void layer_norm_forward(
    float *y, float *sum, const float *x, const float *branch, const float *gain, const float *bias, float *means, float *inverses,
    i64 rows, int columns, float epsilon)
{
    // As many rounds for each group of lanes: they change values together.
    i64 groups = grid_threads() / 16;
    for (i64 first = 0; first < rows; first += groups)
    {
        i64 row = first + first_index() / 16;
        int end = row < rows ? columns : 0;
        const float *from = (branch ? sum : x) + row * columns;
        if (branch)
            for (int i = lane(); i < end; i += 16)
                sum[row * columns + i] = x[row * columns + i] + branch[row * columns + i];
        float total = 0, squares = 0;
        for (int i = lane(); i < end; i += 16)
            total += from[i];
        float mean = quotient(first_lane(fold(total)), columns);
        for (int i = lane(); i < end; i += 16)
        {
            float d = from[i] - mean;
            squares = fused(d, d, squares);
        }
        float inverse = quotient(1.0f, root(quotient(first_lane(fold(squares)), columns) + epsilon));
        if (lane() == 0 && row < rows)
        {
            means[row] = mean;
            inverses[row] = inverse;
        }
        for (int i = lane(); i < end; i += 16)
        {
            float n = (from[i] - mean) * inverse;
            y[row * columns + i] = bias ? fused(n, gain[i], bias[i]) : n * gain[i];
        }
    }
}

// dx = (dx +) inverse (g - Σ g / C - n Σ g n / C), g = dy gain, n = (x - mean) inverse.
extern "C" __global__ void layer_norm_backward(
    float *dx, const float *dy, const float *x, const float *gain, const float *means, const float *inverses, i64 rows, int columns,
    int accumulate)
{
    i64 groups = grid_threads() / 16;
    for (i64 first = 0; first < rows; first += groups)
    {
        i64 row = first + first_index() / 16;
        int end = row < rows ? columns : 0;
        const float *from = x + row * columns, *gradient = dy + row * columns;
        float mean = row < rows ? means[row] : 0, inverse = row < rows ? inverses[row] : 0, sum = 0, products = 0;
        for (int i = lane(); i < end; i += 16)
        {
            float g = gradient[i] * gain[i];
            sum += g;
            products = fused(g, (from[i] - mean) * inverse, products);
        }
        float a = quotient(first_lane(fold(sum)), columns), b = -quotient(first_lane(fold(products)), columns);
        for (int i = lane(); i < end; i += 16)
        {
            float d = inverse * fused((from[i] - mean) * inverse, b, gradient[i] * gain[i] - a);
            dx[row * columns + i] = accumulate ? dx[row * columns + i] + d : d;
        }
    }
}
