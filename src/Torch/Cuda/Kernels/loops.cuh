// How threads go over what is large: over elements, and down the rows of a part of a matrix. What is done there a kernel says as a
// structure with static functions. A thread has several loads on their way at once, and no question between them: whether neighbours are
// whole is asked once, and what is not goes element by element through the same functions.

// Neighbours of [0, end), of which it is known when a kernel is compiled whether all are whole.
template <bool IsWhole, int N> INLINE Neighbours<N> neighbours(i64 at, i64 end)
{
    if constexpr (IsWhole)
        return Neighbours<N>(at);
    else
        return Neighbours<N>(at, end, false);
}

// For all eights of elements [0, count): write(work, read(work, n), n). Two of them at a time where there are as many, since the 16 bytes
// of one for each thread of a GPU are fewer than its memory's bandwidth times its latency.
template <class Work> INLINE void over_eights(const Work &work, i64 count, bool is_aligned)
{
    i64 i = WIDTH * first_index(), step = WIDTH * grid_threads(), whole = is_aligned ? count - WIDTH : -1;
    for (; i + step <= whole; i += 2 * step)
    {
        Eight first(i), second(i + step);
        typename Work::Read a = Work::read(work, first), b = Work::read(work, second);
        Work::write(work, a, first);
        Work::write(work, b, second);
    }
    for (; i < count; i += step)
    {
        Eight n(i, count, is_aligned);
        Work::write(work, Work::read(work, n), n);
    }
}

// For each part of rows, and each few neighbouring columns of it: the work's rows from the first to the last, AtOnce at a time and then one
// by one, which add to as many sums; then finish(), which gets these. The last part may have fewer rows. Columns that are not whole, which
// no model of ours has, go one by one: that keeps the program small.
template <bool IsWhole, int AtOnce, class Work>
INLINE void down_parts_by(const Work &work, i64 rows, int part_rows, i64 across)
{
    i64 parts = (rows + part_rows - 1) / part_rows;
    for (i64 i = first_index(); i < parts * across; i += grid_threads())
    {
        i64 part = i / across, row = part * part_rows, end = row + part_rows < rows ? row + part_rows : rows;
        typename Work::Place place = Work::template place<IsWhole>(work, i % across);
        float sums[Work::Columns] = {};
        if constexpr (IsWhole)
            for (; row + AtOnce <= end; row += AtOnce)
                Work::template rows<AtOnce>(work, place, row, sums);
        for (; row < end; row++)
            Work::template rows<1>(work, place, row, sums);
        Work::finish(work, place, part, sums);
    }
}

template <int AtOnce, class Work>
INLINE void down_parts(const Work &work, i64 rows, int part_rows, i64 across, bool is_whole)
{
    if (is_whole)
        down_parts_by<true, AtOnce>(work, rows, part_rows, across);
    else
        down_parts_by<false, AtOnce>(work, rows, part_rows, across);
}
