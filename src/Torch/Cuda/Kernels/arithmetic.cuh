// What all kernels are made of: IEEE operations, 16 lanes, our own elementary functions. The same operations in the same order as
// Elastic.Kernels, so the same bits. No headers: NVRTC, and clang without a toolkit, have none to include. Nothing may be contracted to a
// fused multiply-add but fused(): compilers are told so (--fmad=false, -ffp-contract=off). No atomics: their order is chance.

typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#ifdef __CUDA_ARCH__
#define INLINE __device__ static __forceinline__
#ifndef __forceinline__
#define __forceinline__ __inline__ __attribute__((always_inline))
#endif

INLINE u32 thread_index() { u32 x; asm("mov.u32 %0, %%tid.x;" : "=r"(x)); return x; }
INLINE u32 threads() { u32 x; asm("mov.u32 %0, %%ntid.x;" : "=r"(x)); return x; }
INLINE u32 block_index() { u32 x; asm("mov.u32 %0, %%ctaid.x;" : "=r"(x)); return x; }
INLINE u32 blocks() { u32 x; asm("mov.u32 %0, %%nctaid.x;" : "=r"(x)); return x; }

// All threads of the block wait for each other.
INLINE void barrier() { asm volatile("bar.sync 0;" ::: "memory"); }

INLINE u32 bits_of(float x) { u32 y; asm("mov.b32 %0, %1;" : "=r"(y) : "f"(x)); return y; }
INLINE float of_bits(u32 x) { float y; asm("mov.b32 %0, %1;" : "=f"(y) : "r"(x)); return y; }
INLINE u64 bits_of(double x) { u64 y; asm("mov.b64 %0, %1;" : "=l"(y) : "d"(x)); return y; }
INLINE double of_bits(u64 x) { double y; asm("mov.b64 %0, %1;" : "=d"(y) : "l"(x)); return y; }

INLINE float fused(float a, float b, float c) { float d; asm("fma.rn.f32 %0, %1, %2, %3;" : "=f"(d) : "f"(a), "f"(b), "f"(c)); return d; }
INLINE float quotient(float a, float b) { float d; asm("div.rn.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b)); return d; }
INLINE float reciprocal(float x) { float d; asm("rcp.rn.f32 %0, %1;" : "=f"(d) : "f"(x)); return d; }

// 1 / x for x from 1 to 2^126, correctly rounded: reciprocal() asks whether x or its reciprocal is too small or too large, and goes another
// way there, so that a thread computes one after another. Here neither is, and what it does elsewhere is right for all: an approximation
// and Newton's step. KernelCheck compares every such x on the GPU itself, since the approximation is that of the hardware.
INLINE float reciprocal_from_one(float x)
{
    float near;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(near) : "f"(x));
    return fused(near, fused(-x, near, 1), near);
}

// The smaller one of a number and a constant; what is not a number stays so.
INLINE float no_more_than(float most, float x)
{
#if __CUDA_ARCH__ >= 800
    float y;
    asm("min.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(most), "f"(x));
    return y;
#else
    return most < x ? most : x;
#endif
}

INLINE float root(float x) { float d; asm("sqrt.rn.f32 %0, %1;" : "=f"(d) : "f"(x)); return d; }
INLINE u32 multiply_high(u32 a, u32 b) { u32 d; asm("mul.hi.u32 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b)); return d; }

// What the thread "by" places further within its 16 lanes holds; the last ones keep their own. All threads of a warp call it together.
INLINE u32 lane_behind(u32 x, u32 by)
{
    u32 y;
    asm volatile("shfl.sync.down.b32 %0, %1, %2, 0x101f, 0xffffffff;" : "=r"(y) : "r"(x), "r"(by));
    return y;
}

// What the first of the 16 lanes holds.
INLINE u32 first_lane(u32 x)
{
    u32 y;
    asm volatile("shfl.sync.idx.b32 %0, %1, 0, 0x101f, 0xffffffff;" : "=r"(y) : "r"(x));
    return y;
}
#endif

INLINE u32 lane() { return thread_index() & 15; }
INLINE i64 first_index() { return (i64)block_index() * threads() + thread_index(); }
INLINE i64 grid_threads() { return (i64)blocks() * threads(); }
INLINE float larger(float a, float b) { return a > b ? a : b; }

INLINE float lane_behind(float x, u32 by) { return of_bits(lane_behind(bits_of(x), by)); }
INLINE float first_lane(float x) { return of_bits(first_lane(bits_of(x))); }

INLINE double lane_behind(double x, u32 by)
{
    u64 bits = bits_of(x);
    u64 low = lane_behind((u32)bits, by), high = lane_behind((u32)(bits >> 32), by);
    return of_bits(high << 32 | low);
}

// The sum of 16 lanes by halves, 16 -> 8 -> 4 -> 2 -> 1, in the first of them.
template <class T> INLINE T fold(T x)
{
    x = x + lane_behind(x, 8);
    x = x + lane_behind(x, 4);
    x = x + lane_behind(x, 2);
    return x + lane_behind(x, 1);
}

INLINE float fold_largest(float x)
{
    x = larger(x, lane_behind(x, 8));
    x = larger(x, lane_behind(x, 4));
    x = larger(x, lane_behind(x, 2));
    return larger(x, lane_behind(x, 1));
}

// ---- Elementary functions: those of src/Kernels/Elementary, coefficient by coefficient.

#define ROUNDER (12582912.0f + 127)

// r = x - n ln 2, |r| <= ln(2) / 2. The lower bits of "rounded" are n + 127.
INLINE float reduce(float x, float *rounded)
{
    *rounded = fused(x, 1.44269502f, ROUNDER);
    float n = *rounded - ROUNDER;
    return fused(n, 1.90465421e-9f, fused(n, -0.693147182f, x));
}

// e^x for x from -87 to 88.
INLINE float exp_of(float x)
{
    float rounded, r = reduce(x, &rounded);
    float p = fused(0.00138143345f, r, 0.00836885069f);
    p = fused(p, r, 0.0416684002f);
    p = fused(p, r, 0.166665196f);
    p = fused(p, r, 0.49999994f);
    p = fused(p, r * r, r);
    // (p + 1) 2^n, rounded as p + 1 is: 2^n and the result are normal numbers.
    float power = of_bits(bits_of(rounded) << 23);
    return fused(p, power, power);
}

// e^x for x <= 88, +0 below -87. Computed first, then chosen: what stands in the choice itself would be computed under a branch.
INLINE float exp_or_zero(float x)
{
    float e = exp_of(x);
    return -87.0f > x ? 0.0f : e;
}

// 1 / (1 + e^-x), and 1 minus it without cancellation.
INLINE float sigmoid(float x, float *complement)
{
    float e = exp_or_zero(no_more_than(87.0f, -x));
    float s = reciprocal_from_one(1.0f + e);
    *complement = e * s;
    return s;
}

INLINE float erf_of(float x)
{
    u32 sign = bits_of(x) & 0x80000000;
    float a = of_bits(bits_of(x) ^ sign), square = a * a;
    float p = fused(7.85387747e-5f, square, -0.000801019836f);
    p = fused(p, square, 0.00518832821f);
    p = fused(p, square, -0.0268538129f);
    p = fused(p, square, 0.112835854f);
    p = fused(p, square, -0.37612626f);
    p = fused(p, square, 0.128379166f);
    float small = fused(a, p, a);
    a = no_more_than(3.95f, a);
    float q = fused(-0.000187603961f, a, 0.00296010682f);
    q = fused(q, a, -0.0218896177f);
    q = fused(q, a, 0.103218161f);
    q = fused(q, a, 0.63801223f);
    q = fused(q, a, 1.12717164f);
    q = fused(q, a, 0.000320577878f);
    float large = 1.0f - exp_or_zero(-q);
    return of_bits(bits_of(a > 1.0f ? large : small) | sign);
}

// The natural logarithm of a normal positive number, in double precision.
INLINE double log_of(double x)
{
    u64 bits = bits_of(x);
    int exponent = (int)(bits >> 52) - 1023;
    double mantissa = of_bits((bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL);
    if (mantissa > 1.4142135623730951)
    {
        mantissa = mantissa / 2;
        exponent = exponent + 1;
    }
    double z = (mantissa - 1) / (mantissa + 1), square = z * z, sum = 0;
    for (int k = 21; k >= 1; k -= 2)
        sum = sum * square + 1.0 / k;
    return exponent * 0.6931471805599453 + 2 * z * sum;
}

// ---- The tree of sums (src/Kernels/SumTree.cs), as its leaves come in order: a stack of the sums of finished subtrees. Two consecutive
// leaves meet at the node of the highest bit in which their indices differ; a leaf that does not come counts as zero.
struct Tree
{
    float sums[33];
    int levels[33];
    int count, last;

    INLINE int level(u32 a, u32 b)
    {
        int high = 0;
        for (u32 bits = a ^ b; bits > 1; bits >>= 1)
            high++;
        return high;
    }

    __device__ void clear() { count = 0; }

    __device__ void merge()
    {
        count--;
        sums[count - 1] = sums[count - 1] + sums[count];
    }

    __device__ void push(int leaf, float x)
    {
        if (count > 0)
        {
            int meeting = level((u32)leaf, (u32)last);
            while (count > 1 && levels[count - 1] < meeting)
                merge();
            levels[count] = meeting;
        }
        last = leaf;
        sums[count++] = x;
    }

    __device__ float finish()
    {
        while (count > 1)
            merge();
        return sums[0];
    }
};
