// Softmax cross-entropy with label smoothing (src/Kernels/Rows/CrossEntropy.cs says the formulas and the order of each sum). A block of
// threads takes a row; each of its groups of 16 lanes takes pieces of 1,024 elements, whose sums are added in double precision in order.
// The logits become their gradients in place, in their own type: a row stays in the second-level cache between the passes over it. Two of
// the passes do not care for the order, and move neighbours at once.

#define PIECE 1024
#define MOST_PIECES 1024

struct RowSums
{
    float largest;
    double exponentials, logits;
};

// The pieces of a vocabulary's parts: no piece reaches beyond its part.
struct Pieces
{
    int vocabulary, part_length, per_part, count;

    __device__ Pieces(int v, int length)
    {
        vocabulary = v;
        part_length = length;
        per_part = (length + PIECE - 1) / PIECE;
        count = (v + length - 1) / length * per_part;
    }

    __device__ int first(int piece) const { return piece / per_part * part_length + piece % per_part * PIECE; }

    __device__ int end(int piece) const
    {
        int of_part = (piece / per_part + 1) * part_length, of_piece = first(piece) + PIECE;
        int least = of_part < of_piece ? of_part : of_piece;
        return least < vocabulary ? least : vocabulary;
    }
};

template <class Format>
INLINE RowSums reduce_row(const typename Format::Element *z, Pieces pieces, bool has_smoothing)
{
    __shared__ double exponentials[MOST_PIECES], logits[MOST_PIECES];
    __shared__ float group_largest[32];
    u32 group = thread_index() / 16, groups = threads() / 16;
    float largest = Format::load(z);
    bool aligned = is_aligned<WIDTH>(z);
    for (int i = WIDTH * thread_index(); i < pieces.vocabulary; i += WIDTH * threads())
    {
        Eight n(i, pieces.vocabulary, aligned);
        float v[WIDTH];
        load<Format>(v, z, n);
        UNROLL
        for (int k = 0; k < WIDTH; k++)
            largest = k < n.count ? larger(largest, v[k]) : largest;
    }
    largest = fold_largest(largest);
    if (lane() == 0)
        group_largest[group] = largest;
    barrier();
    for (u32 i = 0; i < groups; i++)
        largest = larger(largest, group_largest[i]);

    // As many rounds for each group: lanes of a warp change values together.
    for (int round = 0; round < pieces.count; round += groups)
    {
        int piece = round + group, end = piece < pieces.count ? pieces.end(piece) : 0;
        float of_exponentials = 0, of_logits = 0;
        for (int first = end == 0 ? 0 : pieces.first(piece) + (int)lane(); first < end; first += 16 * AHEAD)
        {
            float x[AHEAD];
            UNROLL
            for (int k = 0; k < AHEAD; k++)
                x[k] = first + 16 * k < end ? Format::load(z + first + 16 * k) : 0;
            UNROLL
            for (int k = 0; k < AHEAD; k++)
                if (first + 16 * k < end)
                {
                    of_exponentials += exp_or_zero(x[k] - largest);
                    of_logits += x[k];
                }
        }
        of_exponentials = fold(of_exponentials);
        of_logits = fold(of_logits);
        if (lane() == 0 && piece < pieces.count)
        {
            exponentials[piece] = of_exponentials;
            logits[piece] = has_smoothing ? of_logits : 0;
        }
    }
    barrier();
    RowSums sums = {largest, 0, 0};
    if (thread_index() == 0)
    {
        int parts = pieces.count / pieces.per_part;
        for (int part = 0; part < parts; part++)
        {
            double e = 0, l = 0;
            for (int i = part * pieces.per_part; i < (part + 1) * pieces.per_part && pieces.first(i) < pieces.end(i); i++)
            {
                e += exponentials[i];
                l += logits[i];
            }
            exponentials[part] = e;
            logits[part] = l;
        }
        for (int step = 1; step < parts; step *= 2)
            for (int i = 0; i + step < parts; i += 2 * step)
            {
                exponentials[i] += exponentials[i + step];
                logits[i] += logits[i + step];
            }
        sums.exponentials = exponentials[0];
        sums.logits = logits[0];
    }
    barrier();
    return sums;
}

INLINE double loss_of(RowSums sums, float of_target, int vocabulary, double smoothing)
{
    return sums.largest + log_of(sums.exponentials) - (1 - smoothing) * of_target - smoothing / vocabulary * sums.logits;
}

template <class Format>
INLINE void losses_and_gradients(
    typename Format::Element *z, i64 stride, int vocabulary, int padded, int part_length, const int *targets, const float *weights,
    double smoothing, double scale, int has_gradients, double *losses)
{
    __shared__ float factor, shift, of_one;
    i64 row = block_index();
    z += row * stride;
    float weight = weights ? weights[row] : 1.0f;
    if (weight == 0)
    {
        if (thread_index() == 0)
            losses[row] = 0;
        for (int i = thread_index(); has_gradients && i < padded; i += threads())
            Format::store(z + i, 0);
        return;
    }
    int target = targets[row];
    float of_target = Format::load(z + target);
    RowSums sums = reduce_row<Format>(z, Pieces(vocabulary, part_length), smoothing > 0);
    if (thread_index() == 0)
    {
        losses[row] = weight * loss_of(sums, of_target, vocabulary, smoothing);
        double all = scale * weight;
        factor = (float)(all / sums.exponentials);
        shift = (float)(all * smoothing / vocabulary);
        of_one = (float)(all * (1 - smoothing));
    }
    barrier();
    if (!has_gradients)
        return;
    bool aligned = is_aligned<WIDTH>(z);
    for (int i = WIDTH * thread_index(); i < padded; i += WIDTH * threads())
    {
        Eight n(i, padded, aligned);
        float v[WIDTH];
        load<Format>(v, z, n);
        UNROLL
        for (int k = 0; k < WIDTH; k++)
        {
            float gradient = i + k < vocabulary ? exp_or_zero(v[k] - sums.largest) * factor - shift : 0;
            v[k] = i + k == target ? gradient - of_one : gradient;
        }
        store<Format>(z, v, n);
    }
}

// Two blocks at once: one moves memory while a thread of the other adds its pieces.
#define CROSS_ENTROPY(F) \
    extern "C" __global__ void RESIDENT(512, 2) cross_entropy_##F( \
        F::Element *z, i64 stride, int vocabulary, int padded, int part_length, const int *targets, const float *weights, \
        double smoothing, double scale, int has_gradients, double *losses) \
    { \
        losses_and_gradients<F>( \
            z, stride, vocabulary, padded, part_length, targets, weights, smoothing, scale, has_gradients, losses); \
    } \
    ENTRY(cross_entropy_##F)

// Logits of a pass in fp16 are fp32: their gradients are too small for its range.
CROSS_ENTROPY(f32)
CROSS_ENTROPY(bf16)
