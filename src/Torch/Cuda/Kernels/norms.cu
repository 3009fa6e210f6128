// Residual sum and normalisation (src/Kernels/Rows/LayerNorm.cs, RmsNorm.cs); backwards in norms_backward.cu, which follows this file. 16
// lanes add up a row: lane l channels l, l + 16 ... in order. A root mean square norm is a layer norm whose means are null, which count as
// 0.
//
// A block takes rows by tiles. It moves a tile from memory into shared memory, four neighbours a thread and each byte once, of several rows
// at once; the lanes add up what lies there; and what is made of it goes to memory by fours again. A thread keeps its columns from row to
// row. Rows that are too long for shared memory, or that do not consist of fours, stay in memory, and are read from there each time.

// Floats of a tile, 46 KB: four blocks have room on a multiprocessor of 228 KB, and with the rows' numbers no block needs more than 48 KB.
#define TILE_FLOATS 11776

// Rows of a tile at most; and elements of the forward pass at most, so that even few rows are tiles for many blocks.
#define MOST_ROWS 64
#define MOST_ELEMENTS 6144

// Rows of a tile whose rows stay in memory.
#define ROWS_IN_MEMORY 16

// Elements from a row of a tile to the next: the two rows that a warp's lanes add up lie in different banks, of 2 and of 4 bytes.
INLINE int pitch_of(int columns) { return ((columns + 15) & ~31) + 16; }

// What a row's elements are made with. The backward pass has a and b.
struct alignas(16) RowNumbers { float mean, inverse, a, b; };

// All of them by one access.
INLINE RowNumbers load_numbers(const RowNumbers *p)
{
    float v[4];
    load<f32, 4>(v, &p->mean, Neighbours<4>(0));
    return {v[0], v[1], v[2], v[3]};
}

// A thread's place in a tile: four columns from "channel" on, and again every "apart" columns, of each "rows"-th row from "row" on. Rows of
// few columns lie side by side in a block; then there is one such four for each thread, and none for the threads that remain.
struct Place
{
    int row, rows, channel, apart;

    __device__ Place(int columns, bool has_rows_aside)
    {
        int fours = (columns + 3) / 4, thread = thread_index(), all = threads();
        apart = 4 * all;
        rows = has_rows_aside && all > fours ? all / fours : 1;
        row = rows > 1 ? thread / fours : 0;
        channel = row < rows ? 4 * (thread - row * fours) : columns;
    }
};

// Four neighbours of a row of those that begin at element "begin". Those of staged rows are known to be whole when this is compiled;
// others are where "is_whole" says so.
template <bool Staged> INLINE Neighbours<4> four(i64 begin, int row, int channel, int columns, bool is_whole)
{
    if constexpr (Staged)
        return Neighbours<4>(begin + (row * columns + channel));
    Neighbours<4> n(channel, columns, is_whole);
    n.at += begin + (i64)row * columns;
    return n;
}

// A thread's k-th row from "row" on. Where there is none, it loads "row" again: loads follow one another without a question between them.
INLINE int row_ahead(int row, int k, int rows, int count) { return row + k * rows < count ? row + k * rows : row; }

// Adds what a lane has of a row, in order. The numbers of several steps are on their way at once.
template <class Sum> INLINE void add_lane(Sum &sum, int columns)
{
    int i = lane();
    for (int steps = columns / 16; steps >= AHEAD; steps -= AHEAD, i += 16 * AHEAD)
    {
        typename Sum::Number ahead[AHEAD];
        UNROLL
        for (int k = 0; k < AHEAD; k++)
            ahead[k] = sum.at(i + 16 * k);
        UNROLL
        for (int k = 0; k < AHEAD; k++)
            sum.add(ahead[k]);
    }
    for (; i < columns; i += 16)
        sum.add(sum.at(i));
}

// Rows of a tile in shared memory.
template <class Format> struct SharedRows
{
    typename Format::Element *tile;
    int pitch;

    __device__ float at(int row, int i) const { return Format::load(tile + row * pitch + i); }
    __device__ Neighbours<4> place(int row, int channel) const { return Neighbours<4>(row * pitch + channel); }
    __device__ void load_four(float *v, int row, int channel) const { load<Format, 4>(v, tile, place(row, channel)); }
    __device__ void store_four(const float *v, int row, int channel) const { store<Format, 4>(tile, v, place(row, channel)); }
};

// Rows that the forward pass reads from memory: those of the sum that it made, or of x where that is null.
template <class X> struct RowsInMemory
{
    const float *sum;
    const typename X::Element *x;
    int columns;
    bool is_whole;

    __device__ float at(int row, int i) const
    {
        i64 from = (i64)row * columns + i;
        return sum ? sum[from] : X::load(x + from);
    }

    __device__ void load_four(float *v, int row, int channel) const
    {
        Neighbours<4> n = four<false>(0, row, channel, columns, is_whole);
        if (sum)
            load<f32, 4>(v, sum, n);
        else
            load<X, 4>(v, x, n);
    }
};

// Σ v of a lane's channels.
template <class Rows> struct Total
{
    typedef float Number;
    Rows rows;
    int row;
    float sum;

    __device__ float at(int i) const { return rows.at(row, i); }
    __device__ void add(float v) { sum += v; }
};

// Σ (v - mean)² of a lane's channels.
template <class Rows> struct Squares
{
    typedef float Number;
    Rows rows;
    int row;
    float mean, sum;

    __device__ float at(int i) const { return rows.at(row, i); }

    __device__ void add(float v)
    {
        float d = v - mean;
        sum = fused(d, d, sum);
    }
};

// Mean and inverse deviation of the rows of a tile. All threads come.
template <class Rows>
INLINE void norm_rows(Rows rows, RowNumbers *numbers, float *means, float *inverses, int count, int columns, float epsilon)
{
    int groups = threads() / 16;
    for (int first = 0; first < count; first += groups)
    {
        int row = first + thread_index() / 16, end = row < count ? columns : 0;
        float mean = 0;
        if (means)
        {
            Total<Rows> total = {rows, row, 0};
            add_lane(total, end);
            mean = quotient(first_lane(fold(total.sum)), columns);
        }
        Squares<Rows> squares = {rows, row, mean, 0};
        add_lane(squares, end);
        float inverse = reciprocal(root(quotient(fold(squares.sum), columns) + epsilon));
        if (lane() == 0 && row < count)
        {
            numbers[row] = {mean, inverse, 0, 0};
            if (means)
                means[row] = mean;
            inverses[row] = inverse;
        }
    }
}

// Moves x, or sum = x + branch, into the tile of the rows that begin at element "begin".
template <class Y, class X, bool Staged>
INLINE void stage_sums(
    SharedRows<f32> tile, float *sum, const typename X::Element *__restrict__ x, const typename Y::Element *__restrict__ branch, i64 begin,
    int count, int columns, Place mine, bool is_whole)
{
    const int ahead = Staged ? 4 : 1;
    for (int channel = mine.channel; channel < columns; channel += mine.apart)
        for (int row = mine.row; row < count; row += ahead * mine.rows)
        {
            float v[ahead][4], added[ahead][4];
            UNROLL
            for (int k = 0; k < ahead; k++)
                load<X, 4>(v[k], x, four<Staged>(begin, row_ahead(row, k, mine.rows, count), channel, columns, is_whole));
            if (branch)
            {
                UNROLL
                for (int k = 0; k < ahead; k++)
                    load<Y, 4>(added[k], branch, four<Staged>(begin, row_ahead(row, k, mine.rows, count), channel, columns, is_whole));
                UNROLL
                for (int k = 0; k < ahead; k++)
                    UNROLL
                    for (int i = 0; i < 4; i++)
                        v[k][i] = v[k][i] + added[k][i];
            }
            UNROLL
            for (int k = 0; k < ahead; k++)
                if (int r = row + k * mine.rows; r < count)
                {
                    if (Staged)
                        tile.store_four(v[k], r, channel);
                    if (branch)
                        store<f32, 4>(sum, v[k], four<Staged>(begin, r, channel, columns, is_whole));
                }
        }
}

// y = (v - mean) inverse gain (+ bias) for rows v of a tile.
template <class Y, bool Staged, class Rows>
INLINE void write_norms(
    typename Y::Element *y, Rows rows, const RowNumbers *numbers, const float *__restrict__ gain, const float *__restrict__ bias, i64 begin,
    int count, int columns, Place mine, bool is_whole)
{
    for (int channel = mine.channel; channel < columns; channel += mine.apart)
    {
        // The product and -0, rounded once, is the product.
        float scale[4], shift[4] = {-0.0f, -0.0f, -0.0f, -0.0f};
        load<f32, 4>(scale, gain, four<Staged>(0, 0, channel, columns, is_whole));
        if (bias)
            load<f32, 4>(shift, bias, four<Staged>(0, 0, channel, columns, is_whole));
        for (int row = mine.row; row < count; row += mine.rows)
        {
            float v[4];
            rows.load_four(v, row, channel);
            RowNumbers of = load_numbers(numbers + row);
            UNROLL
            for (int i = 0; i < 4; i++)
                v[i] = fused((v[i] - of.mean) * of.inverse, scale[i], shift[i]);
            store<Y, 4>(y, v, four<Staged>(begin, row, channel, columns, is_whole));
        }
    }
}

template <class Y, class X, bool Staged>
INLINE void norm_tiles(
    float *tile, RowNumbers *numbers, typename Y::Element *y, float *sum, const typename X::Element *x, const typename Y::Element *branch,
    const float *gain, const float *bias, float *means, float *inverses, i64 rows, int columns, float epsilon, bool is_whole)
{
    int fit = TILE_FLOATS / pitch_of(columns), most = MOST_ELEMENTS / columns > 1 ? MOST_ELEMENTS / columns : 1;
    int of_tile = Staged ? (fit < most ? fit : most) : ROWS_IN_MEMORY;
    of_tile = of_tile < MOST_ROWS ? of_tile : MOST_ROWS;
    Place mine(columns, true);
    SharedRows<f32> shared = {tile, pitch_of(columns)};
    for (i64 first = (i64)block_index() * of_tile; first < rows; first += (i64)blocks() * of_tile)
    {
        int count = rows - first < of_tile ? (int)(rows - first) : of_tile;
        i64 begin = first * columns;
        float *tile_means = means ? means + first : means;
        stage_sums<Y, X, Staged>(shared, sum, x, branch, begin, count, columns, mine, is_whole);
        barrier();
        if constexpr (Staged)
        {
            norm_rows(shared, numbers, tile_means, inverses + first, count, columns, epsilon);
            barrier();
            write_norms<Y, true>(y, shared, numbers, gain, bias, begin, count, columns, mine, is_whole);
        }
        else
        {
            RowsInMemory<X> read = {branch ? sum + begin : nullptr, x + begin, columns, is_whole};
            norm_rows(read, numbers, tile_means, inverses + first, count, columns, epsilon);
            barrier();
            write_norms<Y, false>(y, read, numbers, gain, bias, begin, count, columns, mine, is_whole);
        }
        // What the tile has is read no more.
        barrier();
    }
}

// sum = x + branch where there is a branch, else x itself; y = (sum - mean) inverse gain (+ bias).
template <class Y, class X>
INLINE void norm_forward(
    typename Y::Element *y, float *sum, const typename X::Element *x, const typename Y::Element *branch, const float *gain,
    const float *bias, float *means, float *inverses, i64 rows, int columns, float epsilon)
{
    __shared__ Words4 memory[TILE_FLOATS / 4];
    __shared__ RowNumbers numbers[MOST_ROWS];
    float *tile = (float *)memory;
    bool is_whole = columns % 4 == 0 && is_aligned<4>(y) && is_aligned<4>(sum) && is_aligned<4>(x) && is_aligned<4>(branch)
        && is_aligned<4>(gain) && is_aligned<4>(bias);
    if (is_whole && pitch_of(columns) <= TILE_FLOATS)
        norm_tiles<Y, X, true>(tile, numbers, y, sum, x, branch, gain, bias, means, inverses, rows, columns, epsilon, true);
    else
        norm_tiles<Y, X, false>(tile, numbers, y, sum, x, branch, gain, bias, means, inverses, rows, columns, epsilon, is_whole);
}

// A thread has 64 registers, so that a multiprocessor has room for 1,024 threads. It needs fewest while it loads: 16 and 8 or 16 of
// numbers on their way, and about 20 of addresses, counts and its place.
#define NORM_FORWARD(Y, X) \
    extern "C" __global__ void RESIDENT(512, 2) norm_forward_##Y##_##X( \
        Y::Element *y, float *sum, const X::Element *x, const Y::Element *branch, const float *gain, const float *bias, float *means, \
        float *inverses, i64 rows, int columns, float epsilon) \
    { \
        norm_forward<Y, X>(y, sum, x, branch, gain, bias, means, inverses, rows, columns, epsilon); \
    } \
    ENTRY(norm_forward_##Y##_##X)

// What a norm makes is narrow. It reads the residual stream or a narrow value.
#define NARROW_NORMS(N) NORM_FORWARD(N, f32) NORM_FORWARD(N, N)

NORM_FORWARD(f32, f32)
FOR_EACH_NARROW_TYPE(NARROW_NORMS)
