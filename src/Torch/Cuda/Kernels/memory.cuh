// Elements in memory: fp32, bf16 (the upper half of a binary32) and f16 (binary16). Arithmetic is fp32; a store rounds to the nearest, ties
// to even. Threads read and write neighbours at once where alignment allows: the same elements, so the same bits.

// What makes an entry point known to tests, which run it elsewhere.
#ifndef ENTRY
#define ENTRY(name)
#endif

#ifdef __CUDA_ARCH__
#define UNROLL _Pragma("unroll")

// Blocks of at most so many threads, so many of which a multiprocessor has room for at once.
#ifndef __launch_bounds__
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#endif
#define RESIDENT(threads, blocks) __launch_bounds__(threads, blocks)

INLINE u16 narrow_f16(float x) { u16 y; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x)); return y; }
INLINE float widen_f16(u16 x) { float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x)); return y; }
#else
#define UNROLL
#define RESIDENT(threads, blocks)
#endif

struct f32
{
    typedef float Element;
    INLINE float widen(float x) { return x; }
    INLINE float narrow(float x) { return x; }
    INLINE float load(const float *p) { return *p; }
    INLINE void store(float *p, float x) { *p = x; }
};

struct bf16
{
    typedef u16 Element;
    INLINE float widen(u16 x) { return of_bits((u32)x << 16); }
    INLINE float load(const u16 *p) { return widen(*p); }
    INLINE void store(u16 *p, float x) { *p = narrow(x); }

    INLINE u16 narrow(float x)
    {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
        u16 y;
        asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y) : "f"(x));
        return y;
#else
        // What is not a number stays so.
        u32 bits = bits_of(x);
        u32 rounded = bits + 0x7fff + (bits >> 16 & 1);
        return (u16)(((bits & 0x7fffffff) > 0x7f800000 ? bits | 0x400000 : rounded) >> 16);
#endif
    }
};

struct f16
{
    typedef u16 Element;
    INLINE float widen(u16 x) { return widen_f16(x); }
    INLINE u16 narrow(float x) { return narrow_f16(x); }
    INLINE float load(const u16 *p) { return widen(*p); }
    INLINE void store(u16 *p, float x) { *p = narrow(x); }
};

// Kernels are made for fp32 alone, and for fp32 with each type of 16 bits.
#define FOR_EACH_TYPE(MAKE) MAKE(f32) MAKE(bf16) MAKE(f16)
#define FOR_EACH_NARROW_TYPE(MAKE) MAKE(bf16) MAKE(f16)

// How many numbers a thread that adds one after another has on their way at once.
#define AHEAD 8

// ---- Neighbours.

// What one access of at most 16 bytes moves.
struct alignas(16) Words4 { u32 at[4]; };
struct alignas(8) Words2 { u32 at[2]; };

template <int Words> struct WordsOf { typedef Words4 Type; };
template <> struct WordsOf<2> { typedef Words2 Type; };

// Of the N elements from "at" on those that a range [0, end) has, which are [skipped, count). They are whole where these are all and
// pointers are aligned.
template <int N> struct Neighbours
{
    i64 at;
    int skipped, count;
    bool is_whole;

    __device__ Neighbours(i64 first, i64 end, bool is_aligned)
    {
        at = first;
        skipped = first < 0 ? (int)-first : 0;
        count = end - first < N ? (int)(end - first) : N;
        is_whole = is_aligned && skipped == 0 && count == N;
    }

    // All N, of aligned pointers. That is known when a kernel is compiled: loads of several of these follow one another without a question
    // between them, and are on their way at once.
    __device__ explicit Neighbours(i64 first) : at(first), skipped(0), count(N), is_whole(true) {}

    __device__ bool has(int k) const { return k >= skipped && k < count; }
};

// True where neighbours from p on, and from each N-th after it, can be moved at once; of no memory, too.
template <int N, class Element> INLINE bool is_aligned(const Element *p)
{
    return ((u64)p & (sizeof(Element) * N < 16 ? sizeof(Element) * N - 1 : 15)) == 0;
}

// values[k] = p[at + k]; zeros where there is none.
template <class Format, int N> INLINE void load(float *values, const typename Format::Element *p, Neighbours<N> n)
{
    const int ofWord = sizeof(u32) / sizeof(typename Format::Element), words = N / ofWord < 4 ? N / ofWord : 4;
    if (!n.is_whole)
    {
        UNROLL
        for (int k = 0; k < N; k++)
            values[k] = n.has(k) ? Format::load(p + n.at + k) : 0;
        return;
    }
    UNROLL
    for (int k = 0; k < N; k += words * ofWord)
    {
        typedef typename WordsOf<words>::Type Words;
        Words moved = *(const Words *)(p + n.at + k);
        UNROLL
        for (int i = 0; i < words * ofWord; i++)
            if constexpr (ofWord == 1)
                values[k + i] = of_bits(moved.at[i]);
            else
                values[k + i] = Format::widen((u16)(moved.at[i / 2] >> (i % 2 * 16)));
    }
}

// p[at + k] = values[k], where there is one.
template <class Format, int N> INLINE void store(typename Format::Element *p, const float *values, Neighbours<N> n)
{
    const int ofWord = sizeof(u32) / sizeof(typename Format::Element), words = N / ofWord < 4 ? N / ofWord : 4;
    if (!n.is_whole)
    {
        UNROLL
        for (int k = 0; k < N; k++)
            if (n.has(k))
                Format::store(p + n.at + k, values[k]);
        return;
    }
    UNROLL
    for (int k = 0; k < N; k += words * ofWord)
    {
        typedef typename WordsOf<words>::Type Words;
        Words moved;
        UNROLL
        for (int i = 0; i < words; i++)
            if constexpr (ofWord == 1)
                moved.at[i] = bits_of(values[k + i]);
            else
                moved.at[i] = (u32)Format::narrow(values[k + 2 * i]) | (u32)Format::narrow(values[k + 2 * i + 1]) << 16;
        *(Words *)(p + n.at + k) = moved;
    }
}

// Neighbours that a thread has of each element range: eight, 16 bytes of a narrow type.
#define WIDTH 8
typedef Neighbours<WIDTH> Eight;
