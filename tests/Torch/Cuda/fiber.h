// Runs CUDA kernels on the CPU, one block after another: each thread of a block is a fiber that gives way at a barrier. Not a GPU: no warps,
// no caches, no speed. It gives the kernels' arithmetic, order and indices, and sees a block whose threads do not all come to a barrier,
// which hangs a GPU. In place of the part of arithmetic.cuh that is for GPUs.
//
// Fibers are made once for each thread of the process, and run all blocks of all launches. A fiber begins with setcontext, and from then on
// is left and entered with _longjmp, which makes no system calls.
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <tuple>
#include <utility>
#include <vector>
#include <ucontext.h>

typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define __device__
#define __global__
#define __shared__ static thread_local
#define INLINE static inline

namespace fiber
{
constexpr size_t StackBytes = 32768;
constexpr u32 MostThreads = 1024;

struct Thread { ucontext_t start; jmp_buf place; bool has_begun, has_ended; };
static thread_local jmp_buf scheduler;
static thread_local Thread *running;
static thread_local u32 thread, block, block_threads, grid_blocks;
static thread_local u32 exchanged[MostThreads];
static thread_local void (*body)(void *);
static thread_local void *arguments;

static void give_way()
{
    Thread *me = running;
    if (_setjmp(me->place) == 0)
        _longjmp(scheduler, 1);
}

static void enter()
{
    for (;;)
    {
        body(arguments);
        running->has_ended = true;
        give_way();
    }
}

// A function of its own: no variable of it changes between the two returns of _setjmp.
__attribute__((noinline)) static void resume(Thread *next)
{
    running = next;
    if (_setjmp(scheduler) != 0)
        return;
    if (next->has_begun)
        _longjmp(next->place, 1);
    next->has_begun = true;
    setcontext(&next->start);
}

struct Fibers
{
    std::vector<char> stacks = std::vector<char>(MostThreads * StackBytes);
    std::vector<Thread> all = std::vector<Thread>(MostThreads);

    Fibers()
    {
        for (u32 t = 0; t < MostThreads; t++)
        {
            getcontext(&all[t].start);
            all[t].start.uc_stack.ss_sp = stacks.data() + t * StackBytes;
            all[t].start.uc_stack.ss_size = StackBytes;
            all[t].start.uc_link = nullptr;
            makecontext(&all[t].start, enter, 0);
        }
    }
};

// Returns false where some threads of a block ended while others wait at a barrier.
static bool run(u32 blocks, u32 threads, void (*kernel)(void *), void *values)
{
    static thread_local Fibers fibers;
    if (threads == 0 || threads > MostThreads)
        return false;
    body = kernel, arguments = values, block_threads = threads, grid_blocks = blocks;
    for (block = 0; block < blocks; block++)
    {
        for (u32 t = 0; t < threads; t++)
            fibers.all[t].has_ended = false;
        for (u32 ended = 0; ended < threads;)
        {
            ended = 0;
            for (thread = 0; thread < threads; thread++)
            {
                resume(&fibers.all[thread]);
                ended += fibers.all[thread].has_ended;
            }
            if (ended > 0 && ended < threads)
            {
                // What waits within a kernel begins anew with the next one.
                fibers = Fibers();
                return false;
            }
        }
    }
    return true;
}

template <class... A, size_t... I> void call(void (*kernel)(A...), void **values, std::index_sequence<I...>)
{
    kernel(*static_cast<std::remove_reference_t<A> *>(values[I])...);
}

template <class... A> bool launch(void (*kernel)(A...), u32 blocks, u32 threads, void **values)
{
    struct Call { void (*kernel)(A...); void **values; } it = {kernel, values};
    auto enter = [](void *p)
    {
        Call *c = static_cast<Call *>(p);
        call(c->kernel, c->values, std::index_sequence_for<A...>());
    };
    return run(blocks, threads, enter, &it);
}

// The kernels, by name.
struct Entry { const char *name; bool (*run)(u32 blocks, u32 threads, void **arguments); };
static std::vector<Entry> entries;
struct Registration { explicit Registration(Entry entry) { entries.push_back(entry); } };
}

#define ENTRY(kernel) \
    static fiber::Registration registration_of_##kernel( \
        {#kernel, [](u32 b, u32 t, void **a) { return fiber::launch(kernel, b, t, a); }});

static inline u32 thread_index() { return fiber::thread; }
static inline u32 threads() { return fiber::block_threads; }
static inline u32 block_index() { return fiber::block; }
static inline u32 blocks() { return fiber::grid_blocks; }
static inline void barrier() { fiber::give_way(); }

template <class To, class From> static inline To bits_as(From x)
{
    static_assert(sizeof(To) == sizeof(From), "the same bits");
    To y;
    std::memcpy(&y, &x, sizeof y);
    return y;
}

static inline u32 bits_of(float x) { return bits_as<u32>(x); }
static inline float of_bits(u32 x) { return bits_as<float>(x); }
static inline u64 bits_of(double x) { return bits_as<u64>(x); }
static inline double of_bits(u64 x) { return bits_as<double>(x); }

static inline float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline float quotient(float a, float b) { return a / b; }
static inline float reciprocal(float x) { return 1.0f / x; }
static inline float reciprocal_from_one(float x) { return 1.0f / x; }
static inline float no_more_than(float most, float x) { return most < x ? most : x; }
static inline float root(float x) { return __builtin_sqrtf(x); }
static inline u32 multiply_high(u32 a, u32 b) { return (u32)((u64)a * b >> 32); }

// What a GPU has instructions for: binary16, to the nearest, ties to even.
static inline float widen_f16(u16 x)
{
    u32 magnitude = x & 0x7fff, sign = (u32)(x & 0x8000) << 16;
    float number = magnitude < 0x0400 ? (float)magnitude * (1.0f / (1 << 24))
        : of_bits((magnitude << 13) + (magnitude < 0x7c00 ? 112u << 23 : 0x7f800000 - (0x7c00u << 13)));
    return of_bits(bits_of(number) | sign);
}

static inline u16 narrow_f16(float x)
{
    u32 sign = bits_of(x) & 0x80000000, magnitude = bits_of(x) ^ sign, bits;
    if (magnitude > 0x7f800000)
        bits = 0x7e00;
    else if (magnitude < 0x38800000)
        bits = bits_of(of_bits(magnitude) + 0.5f) - 0x3f000000;    // the addition rounds to the digits that small numbers have
    else
        bits = (magnitude + 0xfff + (magnitude >> 13 & 1) - (112u << 23)) >> 13;
    return (u16)((bits < 0x7c00 || magnitude > 0x7f800000 ? bits : 0x7c00) | sign >> 16);
}

// A warp's exchanges, by a barrier of the whole block: all of its threads call them together.
static inline u32 exchange(u32 x, u32 from)
{
    fiber::exchanged[fiber::thread] = x;
    barrier();
    u32 y = fiber::exchanged[from];
    barrier();
    return y;
}

static inline u32 lane_behind(u32 x, u32 by)
{
    u32 at = fiber::thread;
    return exchange(x, (at & 15) + by < 16 ? at + by : at);
}

static inline u32 first_lane(u32 x) { return exchange(x, fiber::thread & ~15u); }
