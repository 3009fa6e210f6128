// Normalisation backwards (src/Kernels/Rows/LayerNorm.cs, RmsNorm.cs, NormGradients.cs), with the tiles, places and lanes of norms.cu.
//
// A block has a part's rows, tile by tile: it moves x and dy into shared memory, adds up each row by lanes, and then makes dx. A thread
// keeps its columns, and so their sums over the part's rows, in order. gains, biases and branches (parts, columns): fold_parts goes on with
// them. Everywhere n = (x - mean) inverse and g = dy gain.

struct Gradient { float x, dy; };

// x and dy of a tile in shared memory.
template <class Dy> struct SharedGradients
{
    SharedRows<f32> x;
    SharedRows<Dy> dy;

    __device__ Gradient at(int row, int i) const { return {x.at(row, i), dy.at(row, i)}; }

    __device__ void load_four(float *xs, float *dys, int row, int channel) const
    {
        x.load_four(xs, row, channel);
        dy.load_four(dys, row, channel);
    }
};

// The same, of rows that stay in memory.
template <class Dy, class X> struct GradientsInMemory
{
    const typename X::Element *x;
    const typename Dy::Element *dy;
    int columns;
    bool is_whole;

    __device__ Gradient at(int row, int i) const
    {
        i64 from = (i64)row * columns + i;
        return {X::load(x + from), Dy::load(dy + from)};
    }

    __device__ void load_four(float *xs, float *dys, int row, int channel) const
    {
        Neighbours<4> at = four<false>(0, row, channel, columns, is_whole);
        load<X, 4>(xs, x, at);
        load<Dy, 4>(dys, dy, at);
    }
};

// Σ g and Σ g n of a lane's channels.
template <class Rows> struct Products
{
    struct Number { Gradient of; float gain; };
    Rows rows;
    const float *gain;
    int row;
    float mean, inverse, sum, products;

    __device__ Number at(int i) const { return {rows.at(row, i), gain[i]}; }

    __device__ void add(Number v)
    {
        float g = v.of.dy * v.gain;
        sum += g;
        products = fused(g, (v.of.x - mean) * inverse, products);
    }
};

// Sums over a part's rows of a thread's four columns: of dy n, of dy, and of what a residual's branch gets.
struct FourSums
{
    float gain[4], bias[4], branch[4];

    __device__ void clear()
    {
        UNROLL
        for (int i = 0; i < 4; i++)
            gain[i] = bias[i] = branch[i] = 0;
    }

    __device__ void add(const float *x, const float *dy, RowNumbers of)
    {
        UNROLL
        for (int i = 0; i < 4; i++)
        {
            gain[i] = fused(dy[i], (x[i] - of.mean) * of.inverse, gain[i]);
            bias[i] += dy[i];
        }
    }

    __device__ void add_branch(const float *d)
    {
        UNROLL
        for (int i = 0; i < 4; i++)
            branch[i] += d[i];
    }
};

// Where a part's sums go; null for those that nobody wants.
struct PartSums
{
    float *gains, *biases, *branches;

    __device__ void load_four(FourSums &sums, Neighbours<4> at) const
    {
        if (gains)
            load<f32, 4>(sums.gain, gains, at);
        if (biases)
            load<f32, 4>(sums.bias, biases, at);
        if (branches)
            load<f32, 4>(sums.branch, branches, at);
    }

    __device__ void store_four(const FourSums &sums, Neighbours<4> at) const
    {
        if (gains)
            store<f32, 4>(gains, sums.gain, at);
        if (biases)
            store<f32, 4>(biases, sums.bias, at);
        if (branches)
            store<f32, 4>(branches, sums.branch, at);
    }
};

// Rows of x as fp32 and of dy that a tile has room for.
template <class Dy> INLINE int rows_that_fit(int columns)
{
    return (int)(TILE_FLOATS * sizeof(float)) / (pitch_of(columns) * (int)(sizeof(float) + sizeof(typename Dy::Element)));
}

// What the backward pass of a part's rows reads and writes. dx does not lie where dy or x does.
template <class Dx, class Dy, class X> struct NormPart
{
    typename Dx::Element *dx;
    typename Dy::Element *narrow;
    PartSums sums;
    const typename Dy::Element *dy;
    const typename X::Element *x;
    const float *gain, *means, *inverses;
    int columns;
    bool accumulates, is_whole;
};

// Moves x and dy into the tile of the rows that begin at element "begin".
template <class Dx, class Dy, class X>
INLINE void stage_gradients(SharedGradients<Dy> tile, const NormPart<Dx, Dy, X> &part, i64 begin, int count, Place mine)
{
    typedef typename WordsOf<sizeof(typename Dy::Element)>::Type Four;
    const int ahead = 4, words = sizeof(typename Dy::Element);
    for (int channel = mine.channel; channel < part.columns; channel += mine.apart)
        for (int row = mine.row; row < count; row += ahead * mine.rows)
        {
            float x[ahead][4];
            u32 dy[ahead][words];
            UNROLL
            for (int k = 0; k < ahead; k++)
            {
                Neighbours<4> at = four<true>(begin, row_ahead(row, k, mine.rows, count), channel, part.columns, true);
                load<X, 4>(x[k], part.x, at);
                Four moved = *(const Four *)(part.dy + at.at);
                UNROLL
                for (int i = 0; i < words; i++)
                    dy[k][i] = moved.at[i];
            }
            UNROLL
            for (int k = 0; k < ahead; k++)
                if (int r = row + k * mine.rows; r < count)
                {
                    tile.x.store_four(x[k], r, channel);
                    Four moved;
                    UNROLL
                    for (int i = 0; i < words; i++)
                        moved.at[i] = dy[k][i];
                    *(Four *)(tile.dy.tile + tile.dy.place(r, channel).at) = moved;
                }
        }
}

// Means a = Σ g / C and b = -Σ g n / C of the rows of a tile; a = 0 without means. All threads come.
template <class Rows>
INLINE void add_rows(Rows rows, RowNumbers *numbers, const float *__restrict__ gain, bool has_means, int count, int columns)
{
    int groups = threads() / 16;
    for (int first = 0; first < count; first += groups)
    {
        int row = first + thread_index() / 16;
        bool is_row = row < count;
        Products<Rows> of = {rows, gain, row, is_row ? numbers[row].mean : 0, is_row ? numbers[row].inverse : 0, 0, 0};
        add_lane(of, is_row ? columns : 0);
        float sum = fold(of.sum), products = fold(of.products);
        if (lane() == 0 && is_row)
        {
            numbers[row].a = has_means ? quotient(sum, columns) : 0;
            numbers[row].b = -quotient(products, columns);
        }
    }
}

// dx = (dx +) inverse (g - a + n b) of four neighbours; the same, rounded, in "narrow". "counted" gets what a residual's branch gets: the
// value in narrow, or in dx where that is null.
template <class Dx, class Dy, class X>
INLINE void write_gradient(
    const NormPart<Dx, Dy, X> &part, const float *x, const float *dy, const float *scale, const float *before, RowNumbers of,
    float *counted, Neighbours<4> at)
{
    float d[4];
    UNROLL
    for (int i = 0; i < 4; i++)
    {
        d[i] = of.inverse * fused((x[i] - of.mean) * of.inverse, of.b, dy[i] * scale[i] - of.a);
        d[i] = part.accumulates ? before[i] + d[i] : d[i];
        counted[i] = Dx::widen(Dx::narrow(d[i]));
    }
    store<Dx, 4>(part.dx, d, at);
    if (!part.narrow)
        return;
    store<Dy, 4>(part.narrow, d, at);
    UNROLL
    for (int i = 0; i < 4; i++)
        counted[i] = Dy::widen(Dy::narrow(d[i]));
}

// dx of a tile's rows, which begin at element "begin". A thread that has a column's rows alone adds them up; else what counts for the
// branch takes x's place in the tile.
template <bool Staged, class Rows, class Dx, class Dy, class X>
INLINE void write_gradients(
    Rows rows, const RowNumbers *numbers, const NormPart<Dx, Dy, X> &part, FourSums &sums, i64 begin, int count, bool is_first, Place mine)
{
    const int ahead = Staged ? 2 : 1;
    bool is_alone = mine.rows == 1, goes_on = mine.apart < part.columns;
    for (int channel = mine.channel; channel < part.columns; channel += mine.apart)
    {
        Neighbours<4> of_columns = four<Staged>(0, 0, channel, part.columns, part.is_whole);
        if (goes_on)
        {
            sums.clear();
            if (!is_first)
                part.sums.load_four(sums, of_columns);
        }
        float scale[4];
        load<f32, 4>(scale, part.gain, of_columns);
        for (int row = mine.row; row < count; row += ahead * mine.rows)
        {
            float before[ahead][4];
            if (part.accumulates)
                UNROLL
                for (int k = 0; k < ahead; k++)
                    load<Dx, 4>(
                        before[k], part.dx,
                        four<Staged>(begin, row_ahead(row, k, mine.rows, count), channel, part.columns, part.is_whole));
            UNROLL
            for (int k = 0; k < ahead; k++)
                if (int r = row + k * mine.rows; r < count)
                {
                    float x[4], dy[4], counted[4];
                    RowNumbers of = load_numbers(numbers + r);
                    rows.load_four(x, dy, r, channel);
                    if (is_alone)
                        sums.add(x, dy, of);
                    if (!part.dx)
                        continue;
                    write_gradient(
                        part, x, dy, scale, before[k], of, counted,
                        four<Staged>(begin, r, channel, part.columns, part.is_whole));
                    if (is_alone)
                        sums.add_branch(counted);
                    else if constexpr (Staged)
                        rows.x.store_four(counted, r, channel);
                }
        }
        if (goes_on)
            part.sums.store_four(sums, of_columns);
    }
}

// Where rows lie side by side in a block, its first threads add up the columns of a tile: for gain and bias, or what has taken x's place.
template <bool IsBranch, class Dy>
INLINE void add_columns(SharedGradients<Dy> tile, const RowNumbers *numbers, FourSums &sums, int count, int columns, Place mine)
{
    for (int row = 0; row < count && mine.row == 0 && mine.channel < columns; row++)
    {
        float x[4], dy[4];
        tile.load_four(x, dy, row, mine.channel);
        if (IsBranch)
            sums.add_branch(x);
        else
            sums.add(x, dy, load_numbers(numbers + row));
    }
}

template <bool Staged, class Dx, class Dy, class X>
INLINE void norm_part(float *tile, RowNumbers *numbers, const NormPart<Dx, Dy, X> &part, i64 first_row, i64 behind)
{
    int pitch = pitch_of(part.columns), fit = Staged ? rows_that_fit<Dy>(part.columns) : ROWS_IN_MEMORY;
    fit = fit < MOST_ROWS ? fit : MOST_ROWS;
    // As many tiles as there must be, of one length.
    int all = (int)(behind - first_row), tiles = (all + fit - 1) / fit, of_tile = (all + tiles - 1) / tiles;
    Place mine(part.columns, Staged);
    SharedGradients<Dy> shared = {{tile, pitch}, {(typename Dy::Element *)(tile + of_tile * pitch), pitch}};
    FourSums sums;
    sums.clear();
    for (i64 first = first_row; first < behind; first += of_tile)
    {
        i64 begin = first * part.columns;
        int count = behind - first < of_tile ? (int)(behind - first) : of_tile;
        for (int row = thread_index(); row < count; row += threads())
            numbers[row] = {part.means ? part.means[first + row] : 0, part.inverses[first + row], 0, 0};
        if constexpr (Staged)
        {
            stage_gradients(shared, part, begin, count, mine);
            barrier();
            if (part.dx)
                add_rows(shared, numbers, part.gain, part.means, count, part.columns);
            if (mine.rows > 1 && part.sums.gains)
                add_columns<false>(shared, numbers, sums, count, part.columns, mine);
            barrier();
            write_gradients<true>(shared, numbers, part, sums, begin, count, first == first_row, mine);
            if (mine.rows > 1 && part.sums.branches)
            {
                barrier();
                add_columns<true>(shared, numbers, sums, count, part.columns, mine);
            }
        }
        else
        {
            GradientsInMemory<Dy, X> read = {part.x + begin, part.dy + begin, part.columns, part.is_whole};
            barrier();
            if (part.dx)
                add_rows(read, numbers, part.gain, part.means, count, part.columns);
            barrier();
            write_gradients<false>(read, numbers, part, sums, begin, count, first == first_row, mine);
        }
        // What the tile has is read no more.
        barrier();
    }
    if (mine.row == 0 && mine.apart >= part.columns && mine.channel < part.columns)
        part.sums.store_four(sums, four<Staged>(0, 0, mine.channel, part.columns, part.is_whole));
}

template <class Dx, class Dy, class X>
INLINE void norm_backward(
    typename Dx::Element *dx, typename Dy::Element *narrow, float *gains, float *biases, float *branches,
    const typename Dy::Element *dy, const typename X::Element *x, const float *gain, const float *means, const float *inverses, i64 rows,
    int part_rows, int columns, int accumulate)
{
    __shared__ Words4 memory[TILE_FLOATS / 4];
    __shared__ RowNumbers numbers[MOST_ROWS];
    float *tile = (float *)memory;
    i64 first = (i64)block_index() * part_rows, behind = first + part_rows < rows ? first + part_rows : rows;
    i64 of_part = (i64)block_index() * columns;
    PartSums sums = {gains ? gains + of_part : gains, biases ? biases + of_part : biases, branches ? branches + of_part : branches};
    NormPart<Dx, Dy, X> part = {
        dx, narrow, sums, dy, x, gain, means, inverses, columns, accumulate != 0,
        columns % 4 == 0 && is_aligned<4>(dx) && is_aligned<4>(narrow) && is_aligned<4>(gains) && is_aligned<4>(biases)
            && is_aligned<4>(branches) && is_aligned<4>(dy) && is_aligned<4>(x) && is_aligned<4>(gain)};
    if (part.is_whole && rows_that_fit<Dy>(columns) > 0)
        norm_part<true>(tile, numbers, part, first, behind);
    else
        norm_part<false>(tile, numbers, part, first, behind);
}

// A thread has 64 registers, so that a multiprocessor has room for 1,024 threads: four blocks of rows of at most 1,024 columns, and so a
// GPU of 132 multiprocessors for the 512 parts of 8,192 to 65,536 rows all at once. 12 of them are sums; while it loads, 16 and 8 or 16
// have numbers on their way, and about 15 addresses, counts and its place.
#define NORM_BACKWARD(Dx, Dy, X) \
    extern "C" __global__ void RESIDENT(512, 2) norm_backward_##Dx##_##Dy##_##X( \
        Dx::Element *dx, Dy::Element *narrow, float *gains, float *biases, float *branches, const Dy::Element *dy, const X::Element *x, \
        const float *gain, const float *means, const float *inverses, i64 rows, int part_rows, int columns, int accumulate) \
    { \
        norm_backward<Dx, Dy, X>( \
            dx, narrow, gains, biases, branches, dy, x, gain, means, inverses, rows, part_rows, columns, accumulate); \
    } \
    ENTRY(norm_backward_##Dx##_##Dy##_##X)

// The gradient of a narrow value is fp32 while readers add to it.
#define NARROW_NORMS_BACKWARD(N) NORM_BACKWARD(f32, N, f32) NORM_BACKWARD(f32, N, N) NORM_BACKWARD(N, N, N)

NORM_BACKWARD(f32, f32, f32)
FOR_EACH_NARROW_TYPE(NARROW_NORMS_BACKWARD)
