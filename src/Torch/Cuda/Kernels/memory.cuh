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

// Each has functions of one element and of a word, which has one element of fp32 or two others.
struct f32
{
    typedef float Element;
    INLINE float widen(float x) { return x; }
    INLINE float narrow(float x) { return x; }
    INLINE float load(const float *p) { return *p; }
    INLINE void store(float *p, float x) { *p = x; }
    INLINE void widen(float *x, u32 word) { x[0] = of_bits(word); }
    INLINE u32 narrow(const float *x) { return bits_of(x[0]); }
    INLINE u32 larger_of(u32 a, u32 b) { return bits_of(larger(of_bits(a), of_bits(b))); }
    INLINE u32 smaller_of(u32 a, u32 b) { return bits_of(-larger(-of_bits(a), -of_bits(b))); }
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

    INLINE void widen(float *x, u32 word)
    {
        x[0] = of_bits(word << 16);
        x[1] = of_bits(word & 0xffff0000);
    }

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    INLINE u32 narrow(const float *x) { u32 y; asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(x[1]), "f"(x[0])); return y; }
    INLINE u32 larger_of(u32 a, u32 b) { u32 y; asm("max.NaN.bf16x2 %0, %1, %2;" : "=r"(y) : "r"(a), "r"(b)); return y; }
    INLINE u32 smaller_of(u32 a, u32 b) { u32 y; asm("min.NaN.bf16x2 %0, %1, %2;" : "=r"(y) : "r"(a), "r"(b)); return y; }
#else
    INLINE u32 narrow(const float *x) { return narrow(x[0]) | (u32)narrow(x[1]) << 16; }

    INLINE u32 larger_of(u32 a, u32 b)
    {
        float x[2], y[2];
        widen(x, a);
        widen(y, b);
        float most[2] = {larger(x[0], y[0]), larger(x[1], y[1])};
        return narrow(most);
    }

    INLINE u32 smaller_of(u32 a, u32 b) { return larger_of(a ^ 0x80008000, b ^ 0x80008000) ^ 0x80008000; }
#endif
};

struct f16
{
    typedef u16 Element;
    INLINE float widen(u16 x) { return widen_f16(x); }
    INLINE u16 narrow(float x) { return narrow_f16(x); }
    INLINE float load(const u16 *p) { return widen(*p); }
    INLINE void store(u16 *p, float x) { *p = narrow(x); }

    INLINE void widen(float *x, u32 word)
    {
        x[0] = widen((u16)word);
        x[1] = widen((u16)(word >> 16));
    }

    INLINE u32 narrow(const float *x) { return narrow(x[0]) | (u32)narrow(x[1]) << 16; }
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
struct alignas(4) Words1 { u32 at[1]; };

template <int Words> struct WordsOf { typedef Words4 Type; };
template <> struct WordsOf<2> { typedef Words2 Type; };
template <> struct WordsOf<1> { typedef Words1 Type; };

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

// Neighbours as memory has them. A thread fetches all that it needs before it looks at any, so that loads are on their way at once.
template <class Format, int N> struct Raw
{
    static const int OfWord = sizeof(u32) / sizeof(typename Format::Element), Count = N / OfWord, AtOnce = Count < 4 ? Count : 4;
    u32 words[Count];
};

INLINE u32 word_of(float x) { return bits_of(x); }
INLINE u32 word_of(u16 x) { return x; }
INLINE void set(float *p, u32 word) { *p = of_bits(word); }
INLINE void set(u16 *p, u32 word) { *p = (u16)word; }

// What p has from n.at on; zeros where there is none.
template <class Format, int N> INLINE Raw<Format, N> fetch(const typename Format::Element *p, Neighbours<N> n)
{
    typedef Raw<Format, N> Of;
    Of raw;
    if (n.is_whole)
    {
        UNROLL
        for (int k = 0; k < Of::Count; k += Of::AtOnce)
        {
            typedef typename WordsOf<Of::AtOnce>::Type Words;
            Words moved = *(const Words *)(p + n.at + k * Of::OfWord);
            UNROLL
            for (int i = 0; i < Of::AtOnce; i++)
                raw.words[k + i] = moved.at[i];
        }
        return raw;
    }
    UNROLL
    for (int k = 0; k < Of::Count; k++)
    {
        raw.words[k] = 0;
        UNROLL
        for (int i = 0; i < Of::OfWord; i++)
            if (n.has(k * Of::OfWord + i))
                raw.words[k] |= word_of(p[n.at + k * Of::OfWord + i]) << 16 * i;
    }
    return raw;
}

// p gets them from n.at on, where there is one.
template <class Format, int N> INLINE void put(typename Format::Element *p, Raw<Format, N> raw, Neighbours<N> n)
{
    typedef Raw<Format, N> Of;
    if (n.is_whole)
    {
        UNROLL
        for (int k = 0; k < Of::Count; k += Of::AtOnce)
        {
            typedef typename WordsOf<Of::AtOnce>::Type Words;
            Words moved;
            UNROLL
            for (int i = 0; i < Of::AtOnce; i++)
                moved.at[i] = raw.words[k + i];
            *(Words *)(p + n.at + k * Of::OfWord) = moved;
        }
        return;
    }
    UNROLL
    for (int k = 0; k < N; k++)
        if (n.has(k))
            set(p + n.at + k, raw.words[k / Of::OfWord] >> k % Of::OfWord * 16);
}

template <class Format, int N> INLINE void widen(float *values, Raw<Format, N> raw)
{
    UNROLL
    for (int k = 0; k < raw.Count; k++)
        Format::widen(values + k * raw.OfWord, raw.words[k]);
}

template <class Format, int N> INLINE Raw<Format, N> narrow(const float *values)
{
    Raw<Format, N> raw;
    UNROLL
    for (int k = 0; k < raw.Count; k++)
        raw.words[k] = Format::narrow(values + k * raw.OfWord);
    return raw;
}

// values[k] = p[at + k]; zeros where there is none.
template <class Format, int N> INLINE void load(float *values, const typename Format::Element *p, Neighbours<N> n)
{
    widen(values, fetch<Format>(p, n));
}

// p[at + k] = values[k], where there is one.
template <class Format, int N> INLINE void store(typename Format::Element *p, const float *values, Neighbours<N> n)
{
    put(p, narrow<Format, N>(values), n);
}

// Neighbours that a thread has of each element range: eight, 16 bytes of a narrow type.
#define WIDTH 8
typedef Neighbours<WIDTH> Eight;
