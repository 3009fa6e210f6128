// A fake CUDA driver for tests, not NVIDIA's: libcuda.so.1 as far as Elastic calls it. Two GPUs whose memory is that of the process and
// which run kernels with fiber.h, at once, in the launch. It checks what a driver cannot: that a launch has one dimension, no shared memory
// and no extras, that a thread entered a context before it works, that a stream is one of the context's, and that a block's threads come to
// barriers together. Copies between GPUs it carries out when their stream is waited for, also where it is another stream that is told to
// wait: until then their target is no number. What they read must not change before the reader has waited for its GPU, since a driver may
// copy as late as that. fake_lose() makes a GPU fall off the bus. It stands for libtorch_cuda, too, as far as
// that takes streams. The tests put kernels.cu, the source that NVRTC would get, beside it.
#include "fiber.h"
#include "kernels.cu"
#include <mutex>
#include <string>
#include <vector>

namespace
{
// Two are seen; the others are there for collectives of more ranks.
constexpr int Gpus = 8, Visible = 2, Invalid = 1, Unavailable = 46, NoDevice = 101, NotFound = 500, NotReady = 600, LaunchFailed = 719, Hangs = 702;

struct Gpu { int launches_left = -1, streams = 0; bool is_lost = false, was_busy = false; unsigned reached = 0; };
struct Stream;
struct Copy { char *into; const char *from; std::string was; Gpu *of; Stream *reader; };
// A stream that is apart does nothing but copy. It knows of how many launches of the thread that asks it has waited for.
struct Stream { Gpu *of; int number; bool is_apart; long waited = -1; std::vector<Copy> copies, carried_out; };
// When it was recorded: the fake's clock is the number of calls that it has noted, a millisecond each. Negative before. And what had been
// begun then: launches of the thread, or copies of the stream.
struct Event { float at = -1; bool has_time; Stream *copies_of = nullptr; long launches = -1; };

Gpu gpus[Gpus];
thread_local Gpu *current;
thread_local Stream *of_torch;
thread_local long launches;
// Of the thread, since others load kernels meanwhile: what the driver answers who asks for a kernel, how often it was asked, and modules.
thread_local int answer_to_function, functions_asked, modules;
std::mutex gate;
std::string calls, faults;
std::vector<Stream *> apart;
size_t free_bytes = 70ull << 30, all_bytes = 80ull << 30;
bool are_separate;
int taken = -1;

int state() { return current == nullptr ? 201 : current->is_lost ? LaunchFailed : 0; }

void record(const char *what, const Stream *stream)
{
    std::lock_guard<std::mutex> hold(gate);
    calls += std::string(what) + " " + std::to_string(current - gpus) + (stream ? "#" + std::to_string(stream->number) : "") + "\n";
}

void check(const Stream *stream, const Copy &copy)
{
    if (memcmp(copy.from, copy.was.data(), copy.was.size()) != 0)
        faults += "memory of a copy from another GPU to " + std::to_string(stream->of - gpus) + " was written before it was read\n";
}

// The stream that is told to wait for them is the reader's; null for the default stream.
void carry_out(Stream *stream, Stream *reader)
{
    std::lock_guard<std::mutex> hold(gate);
    for (auto &copy : stream->copies)
    {
        check(stream, copy);
        memcpy(copy.into, copy.from, copy.was.size());
        copy.was.assign(copy.from, copy.was.size());
        copy.reader = reader;
        stream->carried_out.push_back(copy);
    }
    stream->copies.clear();
}

// The host has waited for the reader: from now on whoever made what was copied may write there.
template <class Of> void let_go(Stream *stream, Of of, bool is_checked)
{
    std::lock_guard<std::mutex> hold(gate);
    std::vector<Copy> others;
    for (auto &copy : stream->carried_out)
        if (!of(copy))
            others.push_back(copy);
        else if (is_checked && !copy.of->is_lost && !stream->of->is_lost)
            check(stream, copy);
    stream->carried_out = others;
}

std::vector<Stream *> apart_of(const Gpu *gpu)
{
    std::lock_guard<std::mutex> hold(gate);
    std::vector<Stream *> found;
    for (auto stream : apart)
        if (stream->of == gpu)
            found.push_back(stream);
    return found;
}
}

extern "C"
{
// ---- What tests ask of the fake.
void fake_lose(int gpu, int after_launches)
{
    // Nobody waits for what it reads, and nobody keeps what others read of it.
    for (auto &reader : gpus)
        for (auto stream : apart_of(&reader))
            let_go(stream, [=](const Copy &copy) { return &reader == &gpus[gpu] || copy.of == &gpus[gpu]; }, false);
    gpus[gpu].launches_left = after_launches;
    gpus[gpu].is_lost = false;
}
void fake_answer_to_function(int error) { answer_to_function = error; }
int fake_functions_asked() { return functions_asked; }
int fake_modules() { return modules; }
void fake_take(int gpu) { taken = gpu; }
void fake_separate(int separate) { are_separate = separate != 0; }
void fake_clear() { std::lock_guard<std::mutex> hold(gate); calls.clear(); }
const char *fake_calls() { std::lock_guard<std::mutex> hold(gate); static std::string copy; copy = calls; return copy.c_str(); }
// A line for each copy that did not wait, or whose memory was written before it was carried out, since this was asked last.
const char *fake_faults()
{
    std::lock_guard<std::mutex> hold(gate);
    static std::string copy;
    copy = faults;
    faults.clear();
    return copy.c_str();
}
void fake_memory(size_t free, size_t all) { free_bytes = free; all_bytes = all; }
size_t fake_roots_bytes() { return sizeof(Roots); }
// The kernels' names, a line each.
const char *fake_kernels()
{
    static std::string names;
    if (names.empty())
        for (auto &kernel : fiber::entries)
            names += std::string(kernel.name) + "\n";
    return names.c_str();
}
size_t fake_step_bytes() { return sizeof(AdamWStep); }

// ---- The driver.
int cuInit(unsigned flags) { return flags; }
int cuDriverGetVersion(int *version) { *version = 12080; return 0; }
int cuGetErrorName(int error, const char **name)
{
    *name = error == LaunchFailed ? "CUDA_ERROR_LAUNCH_FAILED" : error == NotFound ? "CUDA_ERROR_NOT_FOUND" : "CUDA_ERROR_FAKE";
    return 0;
}
int cuGetErrorString(int error, const char **text)
{
    *text = error == LaunchFailed ? "unspecified launch failure" : "an error of the fake";
    return 0;
}
int cuDeviceGetCount(int *count) { *count = Visible; return 0; }
int cuDeviceGet(int *device, int index) { *device = index + 40; return index >= 0 && index < Gpus ? 0 : NoDevice; }
int cuDeviceGetName(char *name, int length, int device) { snprintf(name, length, "Fake GPU %d", device - 40); return 0; }
int cuDeviceGetAttribute(int *value, int which, int)
{
    *value = which == 16 ? 2 : which == 75 ? 9 : which == 76 ? 0 : -1;
    return 0;
}
int cuDeviceCanAccessPeer(int *can, int device, int other) { *can = device != other && !are_separate; return 0; }
int cuDevicePrimaryCtxRetain(Gpu **context, int device)
{
    *context = &gpus[device - 40];
    return device - 40 == taken ? Unavailable : 0;
}
int cuCtxSetCurrent(Gpu *context) { current = context; return 0; }
int cuCtxSynchronize()
{
    if (current == nullptr)
        return state();
    record("synchronize", nullptr);
    for (auto stream : apart_of(current))
    {
        carry_out(stream, nullptr);
        let_go(stream, [](const Copy &) { return true; }, true);
    }
    return state();
}
int cuMemGetInfo_v2(size_t *free, size_t *all) { *free = free_bytes; *all = all_bytes; return state(); }
int cuStreamCreate(Stream **stream, unsigned flags)
{
    *stream = nullptr;
    if (flags > 1 || current == nullptr)
        return Invalid;
    std::lock_guard<std::mutex> hold(gate);
    *stream = new Stream{current, current->streams++, flags == 1};
    if (flags == 1)
        apart.push_back(*stream);
    return state();
}
int cuStreamSynchronize(Stream *stream)
{
    if (stream == nullptr || stream->of != current)
        return 400;
    record("synchronize", stream);
    carry_out(stream, stream);
    for (auto apart : apart_of(current))
        let_go(apart, [=](const Copy &copy) { return copy.reader == stream; }, true);
    return state();
}
int cuCtxEnablePeerAccess(Gpu *other, unsigned flags)
{
    if (current == nullptr || other == current || flags != 0)
        return Invalid;
    unsigned bit = 1u << (other - gpus);
    if (current->reached & bit)
        return 704;
    current->reached |= bit;
    return 0;
}
// Busy every other time, so that whoever asks must ask again.
int cuStreamQuery(void *stream)
{
    if (stream != nullptr)
        return Invalid;
    if (int error = state())
        return error;
    current->was_busy = !current->was_busy;
    return current->was_busy ? NotReady : 0;
}
int cuModuleLoadData(void **module, const char *image)
{
    *module = nullptr;
    if (strncmp(image, "fake cubin for sm_90", 20) != 0)
        return 200;
    *module = const_cast<char *>("module");
    modules++;
    return state();
}
int cuModuleUnload(void *module) { modules--; return module == nullptr ? Invalid : state(); }
int cuDeviceGetPCIBusId(char *bus, int length, int device)
{
    snprintf(bus, length, "0000:%02X:00.0", 0x3b + device - 40);
    return 0;
}
int cuModuleGetFunction(const void **function, void *, const char *name)
{
    functions_asked++;
    if (answer_to_function != 0)
        return answer_to_function;
    for (auto &kernel : fiber::entries)
        if (strcmp(kernel.name, name) == 0)
        {
            *function = &kernel;
            return 0;
        }
    return NotFound;
}
int cuLaunchKernel(
    void *function, unsigned x, unsigned y, unsigned z, unsigned tx, unsigned ty, unsigned tz, unsigned shared, Stream *stream,
    void **arguments, void **extra)
{
    if (y != 1 || z != 1 || ty != 1 || tz != 1 || shared != 0 || extra != nullptr || arguments == nullptr || x == 0)
        return Invalid;
    // What libtorch's operators on this thread do must be in order with it. Its threads of backward passes have the stream that it has.
    if (stream != nullptr && (stream->of != current || (of_torch != nullptr && of_torch != stream)))
        return 400;
    if (int error = state())
        return error;
    if (current->launches_left >= 0 && current->launches_left-- == 0)
    {
        current->is_lost = true;
        return LaunchFailed;
    }
    if (stream != nullptr && stream->is_apart)
        return Invalid;
    launches++;
    auto kernel = static_cast<const fiber::Entry *>(function);
    record(kernel->name, stream);
    return kernel->run(x, tx, arguments) ? 0 : Hangs;
}

int cuEventCreate(Event **event, unsigned flags)
{
    if ((flags != 0 && flags != 2) || current == nullptr)
        return Invalid;
    *event = new Event;
    (*event)->has_time = flags == 0;
    return state();
}
int cuEventRecord(Event *event, Stream *stream)
{
    if (stream != nullptr && stream->of != current)
        return 400;
    std::lock_guard<std::mutex> hold(gate);
    event->copies_of = stream != nullptr && stream->is_apart ? stream : nullptr;
    event->launches = launches;
    event->at = 0;
    for (char c : calls)
        event->at += c == '\n';
    return state();
}
int cuEventElapsedTime(float *milliseconds, const Event *begin, const Event *end)
{
    if (begin->at < 0 || end->at < 0 || !begin->has_time || !end->has_time)
        return 400;
    *milliseconds = end->at - begin->at;
    return state();
}
int cuEventDestroy_v2(Event *event) { delete event; return 0; }
int cuStreamWaitEvent(Stream *stream, const Event *event, unsigned flags)
{
    if (flags != 0 || current == nullptr || event->at < 0 || (stream != nullptr && stream->of != current))
        return Invalid;
    if (event->copies_of != nullptr)
        carry_out(event->copies_of, stream);
    else if (stream != nullptr && stream->is_apart)
        stream->waited = event->launches;
    return state();
}
// On a stream apart alone: another one would wait for more than its copies.
int cuMemcpyPeerAsync(char *into, Gpu *to, const char *from, Gpu *of, size_t bytes, Stream *stream)
{
    if (current == nullptr || to != current || of == current || bytes == 0)
        return Invalid;
    if (stream == nullptr || stream->of != current || !stream->is_apart)
        return Invalid;
    if (int error = of->is_lost ? LaunchFailed : state())
        return error;
    record("copy", stream);
    std::lock_guard<std::mutex> hold(gate);
    if (stream->waited != launches)
        faults += "a copy to GPU " + std::to_string(current - gpus) + " did not wait for what had begun\n";
    if (!are_separate && !(current->reached & 1u << (of - gpus)))
        faults += "a copy to GPU " + std::to_string(current - gpus) + " goes through the host\n";
    stream->copies.push_back({into, from, std::string(from, bytes), of, nullptr});
    memset(into, 0xff, bytes);
    return 0;
}

// ---- libtorch_cuda: AOTITorchError.
int torch_set_current_cuda_stream(void *stream, int gpu)
{
    of_torch = static_cast<Stream *>(stream);
    return of_torch == nullptr || of_torch->of != &gpus[gpu];
}
}
