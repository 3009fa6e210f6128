// Softmax cross-entropy with label smoothing (src/Kernels/Rows/CrossEntropy.cs says the formulas and the order of each sum). A block of
// threads takes a row, in three passes: the largest and the smallest logit; the sums; the gradients, which the logits become in place, in
// their own type. A row of two blocks of each multiprocessor stays in the second-level cache between the passes: 27 MB on a GPU of 132.
//
// A piece of 1,024 elements is summed in 16 lanes, of which each of eight threads has two neighbouring ones: it reads them as one word, and
// has two chains of additions on their way. Pieces' sums are added in double precision in order. The other passes do not care for the
// order, and move eight neighbours at once. Where no logit is 87 below the largest one, as in nearly all rows, nothing asks whether an
// exponential is 0.

#define PIECE 1024
#define MOST_PIECES 1024
#define PIECE_THREADS 8

struct RowSums
{
    double exponentials, logits;
};

// The pieces of a vocabulary's parts: no piece reaches beyond its part.
struct Pieces
{
    int vocabulary, part_length, per_part, parts, count;

    __device__ Pieces(int v, int length)
    {
        vocabulary = v;
        part_length = length;
        per_part = (length + PIECE - 1) / PIECE;
        parts = (v + length - 1) / length;
        count = parts * per_part;
    }

    __device__ int first(int piece) const { return piece / per_part * part_length + piece % per_part * PIECE; }

    __device__ int end(int piece) const
    {
        int of_part = (piece / per_part + 1) * part_length, of_piece = first(piece) + PIECE;
        int least = of_part < of_piece ? of_part : of_piece;
        return least < vocabulary ? least : vocabulary;
    }
};

// Of all logits of a row.
struct Range
{
    float smallest, largest;

    // No exponential of a logit less the largest one is too small for a normal number.
    __device__ bool is_near() const { return smallest - largest >= -87.0f; }
};

// A word of elements that are all the same.
template <class Format> INLINE u32 word_of_same(typename Format::Element x)
{
    u32 word = word_of(x);
    return Raw<Format, WIDTH>::OfWord == 2 ? word | word << 16 : word;
}

template <class Format> INLINE Range range_of(const typename Format::Element *z, int vocabulary)
{
    // The smallest ones are negated.
    __shared__ float smallest[32], largest[32];
    const int AtOnce = 8, of_word = Raw<Format, WIDTH>::OfWord;
    int whole = is_aligned<WIDTH>(z) ? vocabulary / WIDTH * WIDTH : 0, i = WIDTH * thread_index(), step = WIDTH * threads();
    // Each half of a word has its own; a thread that has no logits gives what the first one is. What is behind the eights is on its way
    // meanwhile.
    int behind = whole + thread_index();
    u32 least = word_of_same<Format>(z[0]), most = least, last = word_of_same<Format>(z[behind < vocabulary ? behind : 0]);
    for (; i < whole; i += AtOnce * step)
    {
        Raw<Format, WIDTH> read[AtOnce];
        UNROLL
        for (int a = 0; a < AtOnce; a++)
        {
            // What was read already where there is no other.
            int at = i + a * step;
            read[a] = fetch<Format>(z, Eight(at < whole ? at : i));
        }
        UNROLL
        for (int a = 0; a < AtOnce; a++)
            UNROLL
            for (int k = 0; k < read[a].Count; k++)
            {
                least = Format::smaller_of(least, read[a].words[k]);
                most = Format::larger_of(most, read[a].words[k]);
            }
    }
    for (; behind < vocabulary; behind += threads())
    {
        least = Format::smaller_of(least, last);
        most = Format::larger_of(most, last);
        last = word_of_same<Format>(z[behind + (int)threads() < vocabulary ? behind + threads() : 0]);
    }
    float low[of_word], high[of_word];
    Format::widen(low, least);
    Format::widen(high, most);
    float below = -low[0], above = high[0];
    if constexpr (of_word == 2)
    {
        below = larger(below, -low[1]);
        above = larger(above, high[1]);
    }
    below = fold_largest(below);
    above = fold_largest(above);
    u32 groups = threads() / 16, group = thread_index() / 16;
    if (lane() == 0)
    {
        smallest[group] = below;
        largest[group] = above;
    }
    barrier();
    // Each group folds those of all, at most 32.
    u32 one = lane() < groups ? lane() : 0, other = lane() + 16 < groups ? lane() + 16 : 0;
    below = first_lane(fold_largest(larger(smallest[one], smallest[other])));
    above = first_lane(fold_largest(larger(largest[one], largest[other])));
    return {-below, above};
}

template <bool IsNear> INLINE float exponential(float x)
{
    if constexpr (IsNear)
        return exp_of(x);
    else
        return exp_or_zero(x);
}

// Sums of exponentials and of logits, of two lanes.
struct LaneSums
{
    float exponentials[2], logits[2];
};

// Adds the lanes' next logits. Those that a piece does not have are not added.
template <class Format, bool IsNear, bool HasSmoothing>
INLINE void add(LaneSums *sums, Raw<Format, 2> read, Neighbours<2> n, float largest)
{
    float x[2];
    widen(x, read);
    UNROLL
    for (int k = 0; k < 2; k++)
    {
        float e = sums->exponentials[k] + exponential<IsNear>(x[k] - largest);
        sums->exponentials[k] = n.has(k) ? e : sums->exponentials[k];
        if constexpr (HasSmoothing)
            sums->logits[k] = n.has(k) ? sums->logits[k] + x[k] : sums->logits[k];
    }
}

// What the lanes of a thread have of the elements [first, end) of a piece.
template <class Format, bool IsNear, bool HasSmoothing>
INLINE LaneSums sums_of(const typename Format::Element *z, int first, int end, float largest)
{
    const int AtOnce = 2 * AHEAD / Raw<Format, 2>::Count;
    LaneSums sums = {};
    bool aligned = is_aligned<2>(z + first);
    int i = first + 2 * (thread_index() % PIECE_THREADS);
    for (; aligned && i + 16 * (AtOnce - 1) + 2 <= end; i += 16 * AtOnce)
    {
        Raw<Format, 2> read[AtOnce];
        UNROLL
        for (int a = 0; a < AtOnce; a++)
            read[a] = fetch<Format>(z, Neighbours<2>(i + 16 * a));
        UNROLL
        for (int a = 0; a < AtOnce; a++)
            add<Format, IsNear, HasSmoothing>(&sums, read[a], Neighbours<2>(i + 16 * a), largest);
    }
    // What is left of a piece, and memory that begins anywhere, element by element: on their way at once, too.
    for (; i < end; i += 16 * AHEAD)
    {
        Raw<Format, 2> read[AHEAD];
        UNROLL
        for (int a = 0; a < AHEAD; a++)
            read[a] = fetch<Format>(z, Neighbours<2>(i + 16 * a, end, false));
        UNROLL
        for (int a = 0; a < AHEAD; a++)
            add<Format, IsNear, HasSmoothing>(&sums, read[a], Neighbours<2>(i + 16 * a, end, false), largest);
    }
    return sums;
}

// The fold of 16 lanes, of which each of eight threads has two neighbours: in the first of these.
INLINE float fold_pairs(const float *x)
{
    float a = x[0], b = x[1];
    UNROLL
    for (int by = PIECE_THREADS / 2; by > 0; by /= 2)
    {
        a += lane_behind(a, by);
        b += lane_behind(b, by);
    }
    return a + b;
}

// A row's sums, in the first thread.
template <class Format, bool IsNear, bool HasSmoothing>
INLINE RowSums reduce_row(const typename Format::Element *z, const Pieces &pieces, float largest)
{
    __shared__ double exponentials[MOST_PIECES], logits[MOST_PIECES];
    // As many rounds for each group of threads: those of a warp change values together.
    int group = thread_index() / PIECE_THREADS, groups = threads() / PIECE_THREADS;
    for (int round = 0; round < pieces.count; round += groups)
    {
        int piece = round + group;
        bool is_one = piece < pieces.count;
        LaneSums sums = sums_of<Format, IsNear, HasSmoothing>(
            z, is_one ? pieces.first(piece) : 0, is_one ? pieces.end(piece) : 0, largest);
        float e = fold_pairs(sums.exponentials), l = HasSmoothing ? fold_pairs(sums.logits) : 0;
        if (is_one && thread_index() % PIECE_THREADS == 0)
        {
            exponentials[piece] = e;
            logits[piece] = l;
        }
    }
    barrier();
    RowSums sums = {0, 0};
    if (thread_index() != 0)
        return sums;
    for (int part = 0; part < pieces.parts; part++)
    {
        int first = part * pieces.per_part, left = pieces.vocabulary - part * pieces.part_length;
        int count = ((left < pieces.part_length ? left : pieces.part_length) + PIECE - 1) / PIECE;
        double e = 0, l = 0;
        for (int i = 0; i < count; i++)
        {
            e += exponentials[first + i];
            if constexpr (HasSmoothing)
                l += logits[first + i];
        }
        // No piece is before the one that its part's sum replaces.
        exponentials[part] = e;
        logits[part] = l;
    }
    for (int step = 1; step < pieces.parts; step *= 2)
        for (int i = 0; i + step < pieces.parts; i += 2 * step)
        {
            exponentials[i] += exponentials[i + step];
            logits[i] += logits[i + step];
        }
    return {exponentials[0], logits[0]};
}

INLINE double loss_of(float largest, RowSums sums, float of_target, int vocabulary, double smoothing)
{
    return largest + log_of(sums.exponentials) - (1 - smoothing) * of_target - smoothing / vocabulary * sums.logits;
}

// What a row's exponentials are multiplied by, and what is taken away from all, and from the target's.
struct Factors
{
    float factor, shift, of_one;
};

template <bool IsNear, bool HasSmoothing>
INLINE float gradient_of(float x, float largest, const Factors &by)
{
    float gradient = exponential<IsNear>(x - largest) * by.factor;
    return HasSmoothing ? gradient - by.shift : gradient;
}

// The gradients of a row's logits but for the target's own term; +0 behind the vocabulary.
template <class Format, bool IsNear, bool HasSmoothing>
INLINE void gradients_of_row(typename Format::Element *z, int vocabulary, int padded, float largest, const Factors &by)
{
    int whole = is_aligned<WIDTH>(z) ? vocabulary / WIDTH * WIDTH : 0, i = WIDTH * thread_index(), step = WIDTH * threads();
    Raw<Format, WIDTH> read, next;
    if (i < whole)
        next = fetch<Format>(z, Eight(i));
    for (int k = whole + thread_index(); k < padded; k += threads())
        Format::store(z + k, k < vocabulary ? gradient_of<IsNear, HasSmoothing>(Format::load(z + k), largest, by) : 0);
    for (; i < whole; i += step)
    {
        // The next ones are on their way while these are computed.
        read = next;
        if (i + step < whole)
            next = fetch<Format>(z, Eight(i + step));
        float v[WIDTH];
        widen(v, read);
        UNROLL
        for (int k = 0; k < WIDTH; k++)
            v[k] = gradient_of<IsNear, HasSmoothing>(v[k], largest, by);
        store<Format>(z, v, Eight(i));
    }
}

// What a row is besides its logits.
struct Row
{
    int vocabulary, padded, part_length, target;
    float weight;
    double smoothing, scale;
};

template <class Format, bool IsNear, bool HasSmoothing>
INLINE void loss_and_gradients(typename Format::Element *z, const Row &row, float largest, bool has_gradients, double *loss)
{
    __shared__ Factors shared;
    float of_target = Format::load(z + row.target);
    RowSums sums = reduce_row<Format, IsNear, HasSmoothing>(z, Pieces(row.vocabulary, row.part_length), largest);
    if (thread_index() == 0)
    {
        double all = row.scale * row.weight;
        shared.factor = (float)(all / sums.exponentials);
        shared.shift = HasSmoothing ? (float)(all * row.smoothing / row.vocabulary) : 0;
        shared.of_one = (float)(all * (1 - row.smoothing));
    }
    barrier();
    // Those of a row with an infinite one would make the loss no number.
    if (row.smoothing == 0)
        sums.logits = 0;
    // The others go on meanwhile.
    if (thread_index() == 0)
        *loss = row.weight * loss_of(largest, sums, of_target, row.vocabulary, row.smoothing);
    if (!has_gradients)
        return;
    Factors by = shared;
    gradients_of_row<Format, IsNear, HasSmoothing>(z, row.vocabulary, row.padded, largest, by);
    // Over what a thread has made of it.
    barrier();
    if (thread_index() == 0)
        Format::store(z + row.target, gradient_of<IsNear, HasSmoothing>(of_target, largest, by) - by.of_one);
}

template <class Format>
INLINE void losses_and_gradients(
    typename Format::Element *z, i64 stride, int vocabulary, int padded, int part_length, const int *targets, const float *weights,
    double smoothing, double scale, int has_gradients, double *losses)
{
    i64 number = block_index();
    z += number * stride;
    Row row = {vocabulary, padded, part_length, targets[number], weights ? weights[number] : 1.0f, smoothing, scale};
    if (row.weight == 0)
    {
        if (thread_index() == 0)
            losses[number] = 0;
        for (int i = thread_index(); has_gradients && i < padded; i += threads())
            Format::store(z + i, 0);
        return;
    }
    Range range = range_of<Format>(z, vocabulary);
    if (range.is_near() && smoothing == 0)
        loss_and_gradients<Format, true, false>(z, row, range.largest, has_gradients, losses + number);
    else
        loss_and_gradients<Format, false, true>(z, row, range.largest, has_gradients, losses + number);
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
