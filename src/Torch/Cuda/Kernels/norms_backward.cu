// Normalisation backwards (src/Kernels/Rows/LayerNorm.cs, RmsNorm.cs, NormGradients.cs), with the tiles, places and lanes of norms.cu.
//
// A block has a part's rows, tile by tile: it moves n = (x - mean) inverse and dy into shared memory, adds up each row by lanes, and then
// makes dx of them. A thread keeps its columns, and so their sums over the part's rows, in order. gains, biases and branches (parts,
// columns): fold_parts goes on with them.

// n and dy of a channel, as a lane adds them up.
struct Gradient { float n, dy; };

// n and dy of a tile in shared memory, one after the other.
struct SharedGradients
{
    SharedRows n, dy;

    __device__ Gradient at(int row, int i) const { return {n.at(row, i), dy.at(row, i)}; }

    __device__ void load_four(float *ns, float *dys, int row, int channel) const
    {
        n.load_four(ns, row, channel);
        dy.load_four(dys, row, channel);
    }
};

// The same, of rows that stay in memory.
template <class Dy, class X> struct GradientsInMemory
{
    const typename Dy::Element *dy;
    const typename X::Element *x;
    const RowNumbers *numbers;
    int columns;
    bool is_whole;

    __device__ Gradient at(int row, int i) const
    {
        i64 from = (i64)row * columns + i;
        return {(X::load(x + from) - numbers[row].mean) * numbers[row].inverse, Dy::load(dy + from)};
    }

    __device__ void load_four(float *ns, float *dys, int row, int channel) const
    {
        Neighbours<4> four_of_row = four<false>(row, channel, columns, is_whole);
        load<X, 4>(ns, x, four_of_row);
        load<Dy, 4>(dys, dy, four_of_row);
        UNROLL
        for (int i = 0; i < 4; i++)
            ns[i] = (ns[i] - numbers[row].mean) * numbers[row].inverse;
    }
};

// Σ g and Σ g n of a lane's channels, g = dy gain.
template <class Rows> struct Products
{
    struct Number { Gradient of; float gain; };
    Rows rows;
    const float *gain;
    int row;
    float sum, products;

    __device__ Number at(int i) const { return {rows.at(row, i), gain[i]}; }

    __device__ void add(Number v)
    {
        float g = v.of.dy * v.gain;
        sum += g;
        products = fused(g, v.of.n, products);
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

    __device__ void add(const float *n, const float *dy)
    {
        UNROLL
        for (int i = 0; i < 4; i++)
        {
            gain[i] = fused(dy[i], n[i], gain[i]);
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

// Moves n and dy into the tile of rows from "first" on.
template <bool Whole, class Dx, class Dy, class X>
INLINE void stage_gradients(SharedGradients tile, const NormPart<Dx, Dy, X> &part, i64 first, int count, Place mine)
{
    const typename Dy::Element *__restrict__ dy = part.dy;
    const typename X::Element *__restrict__ x = part.x;
    const int ahead = Whole ? 4 : 1;
    for (int channel = mine.channel; channel < part.columns; channel += mine.apart)
        for (int row = mine.row; row < count; row += ahead * mine.rows)
        {
            float n[ahead][4], d[ahead][4], mean[ahead], inverse[ahead];
            UNROLL
            for (int k = 0; k < ahead; k++)
            {
                i64 from = first + row_ahead(row, k, mine.rows, count);
                load<X, 4>(n[k], x, four<Whole>(from, channel, part.columns, part.is_whole));
                load<Dy, 4>(d[k], dy, four<Whole>(from, channel, part.columns, part.is_whole));
                inverse[k] = part.inverses[from];
                mean[k] = part.means ? part.means[from] : 0;
            }
            UNROLL
            for (int k = 0; k < ahead; k++)
                if (int r = row + k * mine.rows; r < count)
                {
                    UNROLL
                    for (int i = 0; i < 4; i++)
                        n[k][i] = (n[k][i] - mean[k]) * inverse[k];
                    tile.n.store_four(n[k], r, channel);
                    tile.dy.store_four(d[k], r, channel);
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
        Products<Rows> of = {rows, gain, row, 0, 0};
        add_lane(of, row < count ? columns : 0);
        float sum = fold(of.sum), products = fold(of.products);
        if (lane() == 0 && row < count)
        {
            numbers[row].a = has_means ? quotient(sum, columns) : 0;
            numbers[row].b = -quotient(products, columns);
        }
    }
}

// dx = (dx +) inverse (g + a' n ...) of four neighbours: inverse (g - a + n b), g = dy gain; the same, rounded, in "narrow". "counted" gets
// what a residual's branch gets: the value in narrow, or in dx where that is null.
template <class Dx, class Dy, class X>
INLINE void write_gradient(
    const NormPart<Dx, Dy, X> &part, const float *n, const float *dy, const float *scale, const float *before, RowNumbers of,
    float *counted, Neighbours<4> at)
{
    float d[4];
    UNROLL
    for (int i = 0; i < 4; i++)
    {
        d[i] = of.inverse * fused(n[i], of.b, dy[i] * scale[i] - of.a);
        d[i] = part.accumulates ? before[i] + d[i] : d[i];
        counted[i] = part.narrow ? Dy::widen(Dy::narrow(d[i])) : Dx::widen(Dx::narrow(d[i]));
    }
    store<Dx, 4>(part.dx, d, at);
    if (part.narrow)
        store<Dy, 4>(part.narrow, d, at);
}

// dx of a tile's rows. A thread that has a column's rows alone adds them up; else what counts for the branch takes n's place in the tile.
template <bool Staged, bool Whole, class Rows, class Dx, class Dy, class X>
INLINE void write_gradients(
    Rows rows, const RowNumbers *numbers, const NormPart<Dx, Dy, X> &part, FourSums &sums, i64 first, int count, bool begins, Place mine)
{
    const int ahead = Whole ? 2 : 1;
    bool is_alone = !Staged || mine.rows == 1, goes_on = mine.apart < part.columns;
    for (int channel = mine.channel; channel < part.columns; channel += mine.apart)
    {
        Neighbours<4> of_columns = four<Whole>(0, channel, part.columns, part.is_whole);
        if (goes_on)
        {
            sums.clear();
            if (!begins)
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
                        four<Whole>(first + row_ahead(row, k, mine.rows, count), channel, part.columns, part.is_whole));
            UNROLL
            for (int k = 0; k < ahead; k++)
                if (int r = row + k * mine.rows; r < count)
                {
                    float n[4], dy[4];
                    rows.load_four(n, dy, r, channel);
                    if (is_alone)
                        sums.add(n, dy);
                    if (!part.dx)
                        continue;
                    write_gradient(
                        part, n, dy, scale, before[k], numbers[r], n, four<Whole>(first + r, channel, part.columns, part.is_whole));
                    if (is_alone)
                        sums.add_branch(n);
                    else if constexpr (Staged)
                        rows.n.store_four(n, r, channel);
                }
        }
        if (goes_on)
            part.sums.store_four(sums, of_columns);
    }
}

// Where rows lie side by side in a block, the first of its threads add up the columns of a tile: of n and dy, or of what has taken n's
// place.
template <bool IsBranch> INLINE void add_columns(SharedGradients tile, FourSums &sums, int count, int columns, Place mine)
{
    for (int row = 0; row < count && mine.row == 0 && mine.channel < columns; row++)
    {
        float n[4], dy[4];
        tile.load_four(n, dy, row, mine.channel);
        if (IsBranch)
            sums.add_branch(n);
        else
            sums.add(n, dy);
    }
}

template <bool Staged, bool Whole, class Dx, class Dy, class X>
INLINE void norm_part(float *tile, RowNumbers *numbers, const NormPart<Dx, Dy, X> &part, i64 begin, i64 behind)
{
    int pitch = pitch_of(part.columns), fit = Staged ? TILE_FLOATS / (2 * pitch) : ROWS_IN_MEMORY;
    fit = fit < MOST_ROWS ? fit : MOST_ROWS;
    // As many tiles as there must be, of one length.
    int all = (int)(behind - begin), tiles = (all + fit - 1) / fit, of_tile = (all + tiles - 1) / tiles;
    Place mine(part.columns);
    SharedGradients shared = {{tile, pitch}, {tile + of_tile * pitch, pitch}};
    FourSums sums;
    sums.clear();
    for (i64 first = begin; first < behind; first += of_tile)
    {
        int count = behind - first < of_tile ? (int)(behind - first) : of_tile;
        for (int row = thread_index(); row < count; row += threads())
            numbers[row] = {part.means ? part.means[first + row] : 0, part.inverses[first + row], 0, 0};
        if constexpr (Staged)
        {
            stage_gradients<Whole>(shared, part, first, count, mine);
            barrier();
            if (part.dx)
                add_rows(shared, numbers, part.gain, part.means, count, part.columns);
            if (mine.rows > 1)
                add_columns<false>(shared, sums, count, part.columns, mine);
            barrier();
            write_gradients<true, Whole>(shared, numbers, part, sums, first, count, first == begin, mine);
            if (mine.rows > 1 && part.sums.branches)
            {
                barrier();
                add_columns<true>(shared, sums, count, part.columns, mine);
            }
        }
        else
        {
            GradientsInMemory<Dy, X> read = {
                part.dy + first * part.columns, part.x + first * part.columns, numbers, part.columns, part.is_whole};
            barrier();
            if (part.dx)
                add_rows(read, numbers, part.gain, part.means, count, part.columns);
            barrier();
            write_gradients<false, false>(read, numbers, part, sums, first, count, first == begin, mine);
        }
        // What the tile has is read no more.
        barrier();
    }
    if (mine.row == 0 && mine.apart >= part.columns && mine.channel < part.columns)
        part.sums.store_four(sums, four<Whole>(0, mine.channel, part.columns, part.is_whole));
}

template <class Dx, class Dy, class X>
INLINE void norm_backward(
    typename Dx::Element *dx, typename Dy::Element *narrow, float *gains, float *biases, float *branches,
    const typename Dy::Element *dy, const typename X::Element *x, const float *gain, const float *means, const float *inverses, i64 rows,
    int part_rows, int columns, int accumulate)
{
    alignas(16) __shared__ float tile[TILE_FLOATS];
    __shared__ RowNumbers numbers[MOST_ROWS];
    i64 begin = (i64)block_index() * part_rows, behind = begin + part_rows < rows ? begin + part_rows : rows;
    i64 of_part = (i64)block_index() * columns;
    PartSums sums = {gains ? gains + of_part : gains, biases ? biases + of_part : biases, branches ? branches + of_part : branches};
    NormPart<Dx, Dy, X> part = {
        dx, narrow, sums, dy, x, gain, means, inverses, columns, accumulate != 0,
        columns % 4 == 0 && is_aligned<4>(dx) && is_aligned<4>(narrow) && is_aligned<4>(gains) && is_aligned<4>(biases)
            && is_aligned<4>(branches) && is_aligned<4>(dy) && is_aligned<4>(x) && is_aligned<4>(gain)};
    if (2 * pitch_of(columns) > TILE_FLOATS)
        norm_part<false, false>(tile, numbers, part, begin, behind);
    else if (part.is_whole)
        norm_part<true, true>(tile, numbers, part, begin, behind);
    else
        norm_part<true, false>(tile, numbers, part, begin, behind);
}

// A thread has 64 registers, so that a multiprocessor has room for 1,024 threads: four blocks of rows of at most 1,024 columns, and so a
// GPU of 132 multiprocessors for the 512 parts of 8,192 to 65,536 rows all at once. 12 of them are sums; while it loads, 16 and 8 or 16 are
// numbers on their way, 8 of rows, and about 15 addresses, counts and its place.
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
