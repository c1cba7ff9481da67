// The CUDA driver's interface, on the CPU: memory, streams, events, capture, graphs, launches.
//
// It is for finding mistakes, so it is lazy and strict. Work waits in its stream until somebody synchronises: what should have been
// waited for and was not has not happened. Memory is full of NaN before it is written, and is not given out again soon after it is
// freed; what is allocated now is known to the byte. Where it is not known what the real driver does, a comment says so.

#include "driver.h"
#include "kernel.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <thread>
#include <vector>

namespace standin {

std::mutex everything;

template <class T> static T *reserve(size_t count) {
    return static_cast<T *>(mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
}
char *const arena = reserve<char>(ARENA);
uint16_t *const allocated = reserve<uint16_t>(ARENA / GRANULE + 1);

namespace {

constexpr unsigned char POISON = 0xff; // NaN, and no index into anything
constexpr size_t QUARANTINE = 64 << 20, MOST_IN_QUARANTINE = 1000, MOST_QUEUED = 4096;

CUresult sticky = CUDA_SUCCESS;

// ---------------------------------------------------------------------------------------------------------------------------------
// Memory

struct Graph;

struct Block {
    char *base;
    size_t size, whole; // with what is left free behind it
    bool owned = true;  // as the program sees it: allocated, and not given to a free
    bool live = false;  // as the device sees it, whose work comes later
    bool pinned = false;
    std::weak_ptr<Graph> graph; // whose capture allocated it
    bool of_graph = false;
};

using BlockPtr = std::shared_ptr<Block>;
std::map<uintptr_t, BlockPtr> blocks; // by base, the freed ones too while in quarantine
std::deque<BlockPtr> quarantine;
size_t quarantined = 0;

std::multimap<size_t, char *> spare; // by size
size_t taken = 0;

// The block in which or at whose end `at` is.
BlockPtr block_at(const void *at) {
    auto after = blocks.upper_bound(reinterpret_cast<uintptr_t>(at));
    if (after == blocks.begin())
        return nullptr;
    BlockPtr block = std::prev(after)->second;
    return static_cast<const char *>(at) <= block->base + block->size ? block : nullptr;
}

BlockPtr block_of(CUdeviceptr pointer) {
    auto found = blocks.find(uintptr_t(pointer));
    return found == blocks.end() ? nullptr : found->second;
}

BlockPtr new_block(size_t size) {
    auto block = std::make_shared<Block>();
    block->size = size;
    block->whole = ((size + GRANULE - 1) / GRANULE + 1) * GRANULE;
    if (const auto found = spare.find(block->whole); found != spare.end()) {
        block->base = found->second;
        spare.erase(found);
    } else if (size <= ARENA && taken + block->whole <= ARENA) {
        block->base = arena + taken;
        taken += block->whole;
    } else {
        return nullptr;
    }
    blocks[reinterpret_cast<uintptr_t>(block->base)] = block;
    return block;
}

std::string name(const Block &block) {
    char text[96];
    snprintf(text, sizeof text, "the allocation of %zu bytes at %p", block.size, static_cast<void *>(block.base));
    return text;
}

void release_quarantine() {
    for (size_t left = quarantine.size(); left > 0 && (quarantined > QUARANTINE || quarantine.size() > MOST_IN_QUARANTINE); left--) {
        BlockPtr block = quarantine.front();
        quarantine.pop_front();
        quarantined -= block->whole;
        blocks.erase(reinterpret_cast<uintptr_t>(block->base));
        spare.emplace(block->whole, block->base);
    }
}

void put_into_quarantine(const BlockPtr &block) {
    quarantined += block->whole;
    quarantine.push_back(block);
    release_quarantine();
}

void set_live(Block &block, bool is_live) {
    block.live = is_live;
    memset(block.base, POISON, block.size);
    uint16_t *bytes = allocated + (block.base - arena) / ptrdiff_t(GRANULE);
    for (size_t left = block.size; left > 0; left -= std::min(left, GRANULE))
        *bytes++ = is_live ? uint16_t(std::min(left, GRANULE)) : 0;
}

CUresult begin_life(const BlockPtr &block) {
    if (block->live)
        return report(CUDA_ERROR_LAUNCH_FAILED, "a graph allocates " + name(*block) + " while it is still allocated");
    set_live(*block, true);
    return CUDA_SUCCESS;
}

CUresult end_life(const BlockPtr &block) {
    if (!block->live)
        return report(CUDA_ERROR_ILLEGAL_ADDRESS, name(*block) + " is freed where it is not allocated, in the order of the streams");
    set_live(*block, false);
    if (block->graph.expired()) // else its graph may allocate it again
        put_into_quarantine(block);
    return CUDA_SUCCESS;
}

// ---------------------------------------------------------------------------------------------------------------------------------
// Streams, captures and graphs

struct Graph {
    struct MemoryNode {
        BlockPtr block;
        bool is_free;
    };
    std::vector<Work> nodes; // in the order of the calls, which is one of those that the device may take
    std::vector<MemoryNode> memory;
    bool instantiated = false;
    ~Graph() {
        for (const MemoryNode &node : memory)
            if (!node.is_free && !node.block->live)
                put_into_quarantine(node.block);
    }
};

struct Exec {
    std::shared_ptr<Graph> graph;
    bool frees_on_launch;
};

struct Capture {
    int mode;
    std::thread::id thread;
    Stream *origin;
    bool is_valid = true;
    std::shared_ptr<Graph> graph = std::make_shared<Graph>();
};

enum { GLOBAL = 0, THREAD_LOCAL = 1, RELAXED = 2 };

std::set<Capture *> captures;

} // namespace

struct Stream {
    std::deque<Work> queue;
    unsigned long issued = 0, done = 0;
    bool is_blocking;   // waits for the legacy stream and is waited for
    Capture *capture = nullptr;
    unsigned long captured = 0; // pieces of work
    bool is_joined = false;     // whether the origin of the capture waits for all of them
};

namespace {

std::set<Stream *> streams;
Stream *legacy = nullptr;

struct Event {
    unsigned flags;
    Stream *stream = nullptr; // null: nothing recorded
    unsigned long mark = 0;
    std::weak_ptr<Graph> graph; // of the capture in which it was recorded
    bool is_captured = false;
    double milliseconds = 0;
};

Stream *new_stream(bool is_blocking) {
    auto *stream = new Stream;
    stream->is_blocking = is_blocking;
    streams.insert(stream);
    return stream;
}

// Runs what was put into `stream`, up to the piece of work `mark`.
void run_until(Stream *stream, unsigned long mark) {
    while (stream->done < mark && !stream->queue.empty()) {
        Work work = std::move(stream->queue.front());
        stream->queue.pop_front();
        if (sticky == CUDA_SUCCESS)
            sticky = work();
        stream->done++;
    }
}

void run_all() {
    // By index: a stream may be waited for by one before it.
    for (Stream *stream : streams)
        run_until(stream, stream->issued);
}

CUresult invalidate(Capture *capture, CUresult result, const std::string &what) {
    capture->is_valid = false;
    return report(result, what + ": the capture is void");
}

Capture *capture_of(const std::shared_ptr<Graph> &graph) {
    for (Capture *capture : captures)
        if (graph && capture->graph == graph)
            return capture;
    return nullptr;
}

} // namespace

CUresult report(CUresult result, const std::string &what) {
    fprintf(stderr, "stand-in for CUDA: %s (error %d)\n", what.c_str(), result);
    return result;
}

Stream *stream_of(void *handle) {
    static thread_local Stream *of_this_thread = nullptr;
    const auto number = reinterpret_cast<uintptr_t>(handle);
    if (number <= 1) {
        if (!legacy)
            legacy = new_stream(false);
        return legacy;
    }
    if (number == 2) // the default stream of each thread
        return of_this_thread ? of_this_thread : of_this_thread = new_stream(true);
    auto *stream = static_cast<Stream *>(handle);
    return streams.count(stream) ? stream : nullptr;
}

CUresult enqueue(Stream *stream, Work work) {
    if (!stream)
        return report(CUDA_ERROR_INVALID_HANDLE, "no such stream");
    if (Capture *capture = stream->capture) {
        if (!capture->is_valid)
            return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        capture->graph->nodes.push_back(std::move(work));
        stream->captured++;
        stream->is_joined = false;
        return CUDA_SUCCESS;
    }
    if (stream == legacy) {
        for (Stream *other : streams)
            if (other->is_blocking && other->capture)
                return invalidate(other->capture, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "the legacy stream waits for one that is captured");
        for (Stream *other : streams)
            if (other->is_blocking)
                run_until(other, other->issued);
    }
    stream->queue.push_back(std::move(work));
    stream->issued++;
    // A stream runs at a time of its own; the legacy one at once, which spares the others waiting for it.
    if (stream == legacy)
        run_until(stream, stream->issued);
    else if (stream->queue.size() > MOST_QUEUED)
        run_until(stream, stream->issued - MOST_QUEUED / 2);
    return sticky;
}

CUresult allowed_in_capture(const char *call) {
    for (Capture *capture : captures)
        if (capture->is_valid &&
            (capture->mode == GLOBAL || (capture->mode == THREAD_LOCAL && capture->thread == std::this_thread::get_id())))
            return invalidate(capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, std::string(call) + " during a capture");
    return CUDA_SUCCESS;
}

CUresult check_range(const char *who, const void *at, size_t count) {
    const BlockPtr block = block_at(at);
    if (count == 0 || (block && block->live && static_cast<const char *>(at) + count <= block->base + block->size))
        return CUDA_SUCCESS;
    char text[64];
    snprintf(text, sizeof text, ": %zu bytes at %p are ", count, at);
    return report(CUDA_ERROR_ILLEGAL_ADDRESS, std::string(who) + text +
                                                  (!block         ? "no memory of the device"
                                                   : !block->live ? "not allocated: freed, or not yet there in the order of the streams"
                                                                  : "more than " + name(*block)));
}

std::string what_is_at(const void *at) {
    const auto after = blocks.upper_bound(reinterpret_cast<uintptr_t>(at));
    if (after == blocks.begin())
        return "where nothing was ever allocated";
    const Block &block = *std::prev(after)->second;
    const ptrdiff_t behind = static_cast<const char *>(at) - (block.base + block.size);
    return behind >= 0     ? std::to_string(behind) + " bytes behind the end of " + name(block)
           : !block.live   ? "in " + name(block) + ", which is freed, or not yet there in the order of the streams"
                           : "over the end of " + name(block);
}

namespace {

// ---------------------------------------------------------------------------------------------------------------------------------
// Kernels

std::map<std::string, Kernel> &kernels() {
    static std::map<std::string, Kernel> all;
    return all;
}

struct Function {
    Kernel *kernel;
    unsigned most_threads;
};

struct Module {
    std::string ptx;
    std::map<std::string, Function> functions; // those that were asked for
};

// What a launch passes: the values, copied at the call.
struct Arguments {
    std::vector<std::vector<char>> values;
    Arguments(const Kernel &kernel, void **from) {
        for (int i = 0; kernel.parameters[i].size; i++) {
            const char *value = static_cast<const char *>(from[i]);
            values.emplace_back(value, value + kernel.parameters[i].size);
        }
    }
};

CUresult check_pointers(const Kernel &kernel, const Arguments &arguments) {
    for (size_t i = 0; i < arguments.values.size(); i++) {
        const std::vector<char> &value = arguments.values[i];
        for (size_t at = 0; at + 8 <= value.size(); at += 8) {
            void *word;
            memcpy(&word, &value[at], 8);
            const BlockPtr block = block_at(word);
            // In a structure it may be no pointer; but what happens to be the address of freed memory is one.
            const bool is_bad = block ? !block->live : kernel.parameters[i].is_pointer && word != nullptr;
            if (is_bad) {
                char text[64];
                snprintf(text, sizeof text, ", parameter %zu: %p is ", i, word);
                return report(CUDA_ERROR_ILLEGAL_ADDRESS,
                              std::string(kernel.name) + text + (block ? what_is_at(word) : "no memory of the device"));
            }
        }
    }
    return CUDA_SUCCESS;
}

CUresult run_kernel(Kernel &kernel, Index grid, Index block, const Arguments &arguments) {
    if (CUresult bad = check_pointers(kernel, arguments))
        return bad;
    std::vector<void *> pointers;
    for (const auto &value : arguments.values)
        pointers.push_back(const_cast<char *>(value.data()));
    kernel.launches++;
    const Failure failure = run(kernel, grid, block, pointers.data());
    if (failure.error)
        return report(CUresult(failure.error), std::string(kernel.name) + ": " + failure.what);
    return CUDA_SUCCESS;
}

// With STANDIN_LOG set, the kernels and how often they ran are appended to that file.
struct Log {
    Log() { kernels(); } // they outlive it
    ~Log() {
        const char *path = getenv("STANDIN_LOG");
        FILE *file = path ? fopen(path, "a") : nullptr;
        if (!file)
            return;
        for (const auto &[kernel_name, kernel] : kernels())
            fprintf(file, "%s %lu\n", kernel_name.c_str(), kernel.launches);
        fclose(file);
    }
} log;

} // namespace

void add(Kernel kernel) {
    if (!kernels().emplace(kernel.name, kernel).second)
        report(CUDA_ERROR_INVALID_VALUE, std::string("there are two kernels named ") + kernel.name);
}

} // namespace standin

using namespace standin;

// ---------------------------------------------------------------------------------------------------------------------------------
// The interface. A context is there once, as the device is.

#define BEGIN                                                                                                 \
    Lock lock(everything);                                                                                    \
    if (sticky != CUDA_SUCCESS)                                                                               \
        return sticky;
#define TRY(call)                                                                                             \
    if (CUresult result = (call))                                                                             \
        return result;

static void *const CONTEXT = reinterpret_cast<void *>(0xc0de), *const POOL = reinterpret_cast<void *>(0xb001);
static thread_local void *current = nullptr;

API CUresult cuInit(unsigned) { return CUDA_SUCCESS; }
API CUresult cuDriverGetVersion(int *version) { *version = 13000; return CUDA_SUCCESS; }
API CUresult cuDeviceGetCount(int *count) { *count = 1; return CUDA_SUCCESS; }
API CUresult cuDeviceGet(int *device, int ordinal) {
    *device = ordinal;
    return ordinal == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}
API CUresult cuDeviceGetName(char *text, int size, int) {
    snprintf(text, size_t(size), "stand-in for a GPU");
    return CUDA_SUCCESS;
}
API CUresult cuDeviceTotalMem_v2(size_t *bytes, int) { *bytes = size_t(8) << 30; return CUDA_SUCCESS; }
API CUresult cuMemGetInfo_v2(size_t *free_bytes, size_t *total) { *free_bytes = *total = size_t(8) << 30; return CUDA_SUCCESS; }
API CUresult cuDeviceGetAttribute(int *value, int attribute, int) {
    static const std::map<int, int> KNOWN = {
        {1, 1024},       // threads per block
        {8, 48 << 10},   // shared memory per block
        {10, 32},        // threads per warp
        {16, 132},       // multiprocessors
        {39, 2048},      // threads per multiprocessor
        {75, 9}, {76, 0}, // compute capability
        {81, 228 << 10}, // shared memory per multiprocessor
        {115, 1},        // memory pools
    };
    const auto known = KNOWN.find(attribute);
    if (known == KNOWN.end())
        return report(CUDA_ERROR_INVALID_VALUE, "device attribute " + std::to_string(attribute) + " is not known");
    *value = known->second;
    return CUDA_SUCCESS;
}
API CUresult cuDevicePrimaryCtxRetain(void **context, int) { *context = CONTEXT; return CUDA_SUCCESS; }
API CUresult cuDevicePrimaryCtxRelease_v2(int) { return CUDA_SUCCESS; }
API CUresult cuCtxGetCurrent(void **context) { *context = current; return CUDA_SUCCESS; }
API CUresult cuCtxSetCurrent(void *context) { current = context; return CUDA_SUCCESS; }
API CUresult cuCtxSetFlags(unsigned) { return CUDA_SUCCESS; }
API CUresult cuCtxSynchronize() {
    BEGIN
    // In every mode: the context has all streams, the captured one too.
    for (Capture *capture : captures)
        return invalidate(capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "cuCtxSynchronize during a capture");
    run_all();
    return sticky;
}

static const std::map<int, const char *> NAMES = {
    {0, "CUDA_SUCCESS"}, {1, "CUDA_ERROR_INVALID_VALUE"}, {2, "CUDA_ERROR_OUT_OF_MEMORY"}, {101, "CUDA_ERROR_INVALID_DEVICE"},
    {201, "CUDA_ERROR_INVALID_CONTEXT"}, {218, "CUDA_ERROR_INVALID_PTX"}, {400, "CUDA_ERROR_INVALID_HANDLE"},
    {401, "CUDA_ERROR_ILLEGAL_STATE"}, {500, "CUDA_ERROR_NOT_FOUND"}, {700, "CUDA_ERROR_ILLEGAL_ADDRESS"},
    {701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"}, {710, "CUDA_ERROR_ASSERT"}, {716, "CUDA_ERROR_MISALIGNED_ADDRESS"},
    {719, "CUDA_ERROR_LAUNCH_FAILED"}, {801, "CUDA_ERROR_NOT_SUPPORTED"},
    {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"}, {901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"},
    {902, "CUDA_ERROR_STREAM_CAPTURE_MERGE"}, {903, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED"},
    {904, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED"}, {905, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION"},
    {906, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT"}, {907, "CUDA_ERROR_CAPTURED_EVENT"},
    {908, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD"},
};
API CUresult cuGetErrorName(int error, const char **text) {
    const auto known = NAMES.find(error);
    *text = known == NAMES.end() ? nullptr : known->second;
    return *text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
API CUresult cuGetErrorString(int error, const char **text) { return cuGetErrorName(error, text); }

// Streams

API CUresult cuStreamCreate(void **stream, unsigned flags) {
    BEGIN
    *stream = new_stream(!(flags & 1));
    return CUDA_SUCCESS;
}
API CUresult cuStreamCreateWithPriority(void **stream, unsigned flags, int) { return cuStreamCreate(stream, flags); }
API CUresult cuStreamDestroy_v2(void *handle) {
    BEGIN
    Stream *stream = stream_of(handle);
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    if (stream->capture)
        stream->capture->is_valid = false;
    run_until(stream, stream->issued);
    // Events may still name it: it stays, empty.
    return sticky;
}
API CUresult cuStreamSynchronize(void *handle) {
    BEGIN
    Stream *stream = stream_of(handle);
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    if (stream->capture)
        return invalidate(stream->capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "cuStreamSynchronize of a captured stream");
    // Not known of the real driver for a stream that is not captured; it forbids the same of events.
    TRY(allowed_in_capture("cuStreamSynchronize"))
    if (stream == legacy)
        run_all();
    run_until(stream, stream->issued);
    return sticky;
}

// Events

API CUresult cuEventCreate(Event **event, unsigned flags) {
    BEGIN
    *event = new Event;
    (*event)->flags = flags;
    return CUDA_SUCCESS;
}
API CUresult cuEventDestroy_v2(Event *) {
    // Work that is queued may still note its time in it: events are small, and stay.
    return sticky;
}
API CUresult cuEventRecord(Event *event, void *handle) {
    BEGIN
    Stream *stream = stream_of(handle);
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    event->stream = stream;
    event->is_captured = stream->capture != nullptr;
    if (Capture *capture = stream->capture) {
        if (!capture->is_valid)
            return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        event->graph = capture->graph;
        event->mark = stream->captured;
        return CUDA_SUCCESS;
    }
    TRY(enqueue(stream, [event] {
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        event->milliseconds = std::chrono::duration<double, std::milli>(now).count();
        return CUDA_SUCCESS;
    }))
    event->mark = stream->issued;
    return CUDA_SUCCESS;
}
API CUresult cuStreamWaitEvent(void *handle, Event *event, unsigned) {
    BEGIN
    Stream *stream = stream_of(handle);
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    if (!event->stream)
        return CUDA_SUCCESS;
    if (event->is_captured) {
        Capture *capture = capture_of(event->graph.lock());
        // Not known: what the real driver says to an event whose capture has ended.
        if (!capture)
            return report(CUDA_ERROR_CAPTURED_EVENT, "waiting for an event of a capture that has ended");
        if (stream->capture && stream->capture != capture)
            return invalidate(capture, CUDA_ERROR_STREAM_CAPTURE_MERGE, "one capture waits for another");
        if (!stream->capture) {
            stream->capture = capture;
            stream->captured = 0;
            stream->is_joined = false;
        } else if (stream == capture->origin && event->stream->captured == event->mark) {
            event->stream->is_joined = true;
        }
        return CUDA_SUCCESS;
    }
    if (stream->capture)
        return invalidate(stream->capture, CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "a captured stream waits for an event from outside");
    return enqueue(stream, [from = event->stream, mark = event->mark] {
        run_until(from, mark);
        return sticky;
    });
}
static CUresult finish(Event *event, const char *call) {
    BEGIN
    if (event->is_captured)
        return report(CUDA_ERROR_CAPTURED_EVENT, std::string(call) + " of an event that was recorded in a capture");
    TRY(allowed_in_capture(call))
    if (event->stream)
        run_until(event->stream, event->mark);
    return sticky;
}
API CUresult cuEventSynchronize(Event *event) { return finish(event, "cuEventSynchronize"); }
// Who asks finds it done: nobody may count on that it is not.
API CUresult cuEventQuery(Event *event) { return finish(event, "cuEventQuery"); }
API CUresult cuEventElapsedTime_v2(float *milliseconds, Event *start, Event *end) {
    constexpr unsigned DISABLE_TIMING = 2;
    if ((start->flags | end->flags) & DISABLE_TIMING || !start->stream || !end->stream)
        return report(CUDA_ERROR_INVALID_HANDLE, "the time between events that have none");
    *milliseconds = float(end->milliseconds - start->milliseconds);
    return CUDA_SUCCESS;
}
API CUresult cuEventElapsedTime(float *milliseconds, Event *start, Event *end) {
    return cuEventElapsedTime_v2(milliseconds, start, end);
}

// Memory

API CUresult cuMemAllocAsync(CUdeviceptr *pointer, size_t size, void *handle) {
    BEGIN
    Stream *stream = stream_of(handle);
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    *pointer = 0;
    // Not known: whether the real driver takes a size of 0. cudarc counts on it.
    if (size == 0)
        return CUDA_SUCCESS;
    if (stream->capture && !stream->capture->is_valid)
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    const BlockPtr block = new_block(size);
    if (!block)
        return CUDA_ERROR_OUT_OF_MEMORY;
    *pointer = reinterpret_cast<CUdeviceptr>(block->base);
    if (stream->capture) {
        block->graph = stream->capture->graph;
        block->of_graph = true;
        stream->capture->graph->memory.push_back({block, false});
    }
    return enqueue(stream, [block] { return begin_life(block); });
}
API CUresult cuMemAllocFromPoolAsync(CUdeviceptr *pointer, size_t size, void *, void *handle) {
    return cuMemAllocAsync(pointer, size, handle);
}
API CUresult cuMemFreeAsync(CUdeviceptr pointer, void *handle) {
    BEGIN
    Stream *stream = stream_of(handle);
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    if (pointer == 0)
        return CUDA_SUCCESS;
    const BlockPtr block = block_of(pointer);
    if (!block || !block->owned)
        return report(CUDA_ERROR_INVALID_VALUE, "cuMemFreeAsync of what is not allocated" +
                                                    std::string(block && block->of_graph ? ": its graph was not launched, or frees it" : ""));
    Capture *in = stream->capture, *from = capture_of(block->graph.lock());
    if (in) {
        // Documented is the error; that the capture is void then is not.
        if (!block->of_graph || (from && from != in))
            return invalidate(in, CUDA_ERROR_INVALID_VALUE, "cuMemFreeAsync in a capture, of " + name(*block) + " from outside");
        in->graph->memory.push_back({block, true});
    } else if (from) {
        return report(CUDA_ERROR_INVALID_VALUE, "cuMemFreeAsync outside of the capture that allocates " + name(*block));
    }
    block->owned = false;
    return enqueue(stream, [block] { return end_life(block); });
}
API CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t size) {
    BEGIN
    TRY(allowed_in_capture("cuMemAlloc"))
    const BlockPtr block = size ? new_block(size) : nullptr;
    if (!block)
        return size ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_INVALID_VALUE;
    *pointer = reinterpret_cast<CUdeviceptr>(block->base);
    return begin_life(block);
}
API CUresult cuMemFree_v2(CUdeviceptr pointer) {
    BEGIN
    TRY(allowed_in_capture("cuMemFree"))
    run_all(); // it waits for the device
    TRY(sticky)
    if (pointer == 0)
        return CUDA_SUCCESS;
    const BlockPtr block = block_of(pointer);
    if (!block || !block->owned)
        return report(CUDA_ERROR_INVALID_VALUE, "cuMemFree of what is not allocated");
    block->owned = false;
    return end_life(block);
}
API CUresult cuMemHostAlloc(void **pointer, size_t size, unsigned) {
    BEGIN
    TRY(allowed_in_capture("cuMemHostAlloc"))
    const BlockPtr block = new_block(size);
    if (!block)
        return CUDA_ERROR_OUT_OF_MEMORY;
    block->pinned = true;
    *pointer = block->base;
    return begin_life(block);
}
API CUresult cuMemFreeHost(void *pointer) { return cuMemFree_v2(reinterpret_cast<CUdeviceptr>(pointer)); }

static void *at(CUdeviceptr pointer) { return reinterpret_cast<void *>(pointer); }

static bool is_pinned(const void *host, size_t count) {
    const BlockPtr block = block_at(host);
    return block && block->pinned && static_cast<const char *>(host) + count <= block->base + block->size;
}

// Copies on the device, when it is time.
static CUresult enqueue_copy(Stream *stream, const char *call, void *to, const void *from, size_t count) {
    return enqueue(stream, [=] {
        TRY(check_range(call, to, count))
        TRY(check_range(call, from, count))
        memmove(to, from, count);
        return CUDA_SUCCESS;
    });
}
API CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t count, void *handle) {
    BEGIN
    return enqueue_copy(stream_of(handle), "cuMemcpyDtoD", at(to), at(from), count);
}
// The real driver may take a copy from or to pageable memory into a graph, and then does it again at every launch, whatever is
// there by then. That is always a mistake here.
static CUresult refuse_pageable(Stream *stream, const char *call) {
    return stream->capture ? invalidate(stream->capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
                                        std::string(call) + " with pageable memory during a capture")
                           : CUDA_SUCCESS;
}
API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t count, void *handle) {
    BEGIN
    Stream *stream = stream_of(handle);
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    if (is_pinned(from, count))
        return enqueue_copy(stream, "cuMemcpyHtoD", at(to), from, count);
    TRY(refuse_pageable(stream, "cuMemcpyHtoD"))
    std::vector<char> staged(static_cast<const char *>(from), static_cast<const char *>(from) + count);
    return enqueue(stream, [to, staged = std::move(staged)] {
        TRY(check_range("cuMemcpyHtoD", at(to), staged.size()))
        memcpy(at(to), staged.data(), staged.size());
        return CUDA_SUCCESS;
    });
}
API CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t count, void *handle) {
    BEGIN
    Stream *stream = stream_of(handle);
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    if (is_pinned(to, count))
        return enqueue_copy(stream, "cuMemcpyDtoH", to, at(from), count);
    TRY(refuse_pageable(stream, "cuMemcpyDtoH"))
    run_until(stream, stream->issued);
    TRY(sticky)
    TRY(check_range("cuMemcpyDtoH", at(from), count))
    memcpy(to, at(from), count);
    return CUDA_SUCCESS;
}
API CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t count) {
    { BEGIN TRY(allowed_in_capture("cuMemcpyHtoD")) }
    return cuMemcpyHtoDAsync_v2(to, from, count, nullptr);
}
API CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t count) {
    { BEGIN TRY(allowed_in_capture("cuMemcpyDtoH")) TRY(enqueue(stream_of(nullptr), [] { return CUDA_SUCCESS; })) }
    return cuMemcpyDtoHAsync_v2(to, from, count, nullptr);
}
API CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t count) {
    { BEGIN TRY(allowed_in_capture("cuMemcpyDtoD")) }
    return cuMemcpyDtoDAsync_v2(to, from, count, nullptr);
}
API CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, void *handle) {
    BEGIN
    return enqueue(stream_of(handle), [=] {
        TRY(check_range("cuMemsetD8", at(to), count))
        memset(at(to), value, count);
        return CUDA_SUCCESS;
    });
}
API CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) {
    { BEGIN TRY(allowed_in_capture("cuMemsetD8")) }
    return cuMemsetD8Async(to, value, count, nullptr);
}
API CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, void *handle) {
    BEGIN
    return enqueue(stream_of(handle), [=] {
        TRY(check_range("cuMemsetD32", at(to), 4 * count))
        for (size_t i = 0; i < count; i++)
            static_cast<unsigned *>(at(to))[i] = value;
        return CUDA_SUCCESS;
    });
}

API CUresult cuDeviceGetDefaultMemPool(void **pool, int) { *pool = POOL; return CUDA_SUCCESS; }
API CUresult cuDeviceGetMemPool(void **pool, int) { *pool = POOL; return CUDA_SUCCESS; }
API CUresult cuMemPoolSetAttribute(void *, int, void *) { return CUDA_SUCCESS; }
API CUresult cuMemPoolTrimTo(void *, size_t) { return CUDA_SUCCESS; }

// Modules and launches

API CUresult cuModuleLoadData(Module **module, const void *image) {
    BEGIN
    // Not known for sure: loading may allocate, which a capture forbids.
    TRY(allowed_in_capture("cuModuleLoadData"))
    const auto *text = static_cast<const char *>(image);
    if (!strstr(text, ".entry"))
        return report(CUDA_ERROR_INVALID_PTX, "a module that is no PTX");
    *module = new Module{text, {}};
    return CUDA_SUCCESS;
}
API CUresult cuModuleUnload(Module *) { return CUDA_SUCCESS; } // its functions may still be queued
API CUresult cuModuleGetFunction(Function **function, Module *module, const char *name) {
    BEGIN
    if (const auto found = module->functions.find(name); found != module->functions.end()) {
        *function = &found->second;
        return CUDA_SUCCESS;
    }
    const size_t entry = module->ptx.find(std::string(".entry ") + name + "(");
    if (entry == std::string::npos)
        return report(CUDA_ERROR_NOT_FOUND, std::string("the module has no kernel ") + name);
    const auto known = kernels().find(name);
    if (known == kernels().end())
        return report(CUDA_ERROR_NOT_FOUND, std::string("the kernel ") + name + " was not compiled for the stand-in");
    const std::string head = module->ptx.substr(entry, module->ptx.find('{', entry) - entry);
    const size_t limit = head.find(".maxntid");
    const unsigned most = limit == std::string::npos ? 1024 : unsigned(atoi(head.c_str() + limit + strlen(".maxntid")));
    *function = &(module->functions[name] = Function{&known->second, most});
    return CUDA_SUCCESS;
}
API CUresult cuLaunchKernel(Function *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                            unsigned block_z, unsigned shared_bytes, void *handle, void **parameters, void **) {
    BEGIN
    Kernel &kernel = *function->kernel;
    const Index grid{grid_x, grid_y, grid_z}, block{block_x, block_y, block_z};
    char shape[128];
    snprintf(shape, sizeof shape, ": a grid of %u x %u x %u blocks of %u x %u x %u threads with %u bytes", grid_x, grid_y, grid_z,
             block_x, block_y, block_z, shared_bytes);
    const bool none = !grid_x || !grid_y || !grid_z || !block_x || !block_y || !block_z;
    const bool many = grid_x > 0x7fffffffu || grid_y > 65535 || grid_z > 65535 || block_x > 1024 || block_y > 1024 || block_z > 64 ||
                      (unsigned long)block_x * block_y * block_z > 1024;
    if (none || many || shared_bytes > 48 << 10)
        return report(CUDA_ERROR_INVALID_VALUE, kernel.name + std::string(shape));
    // Not known: which of two errors it is.
    if (block.count() > function->most_threads)
        return report(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, kernel.name + std::string(shape) + ": more threads than its launch bounds");
    if (shared_bytes)
        return report(CUDA_ERROR_NOT_SUPPORTED, kernel.name + std::string(shape) + ": the stand-in has no dynamic shared memory");
    return enqueue(stream_of(handle), [&kernel, grid, block, arguments = Arguments(kernel, parameters)] {
        return run_kernel(kernel, grid, block, arguments);
    });
}
// As the driver's cuda.h has it. Its attributes say what may overlap, and here nothing does.
struct LaunchConfig {
    unsigned grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes;
    void *stream, *attributes;
    unsigned attribute_count;
};
API CUresult cuLaunchKernelEx(const LaunchConfig *c, Function *function, void **parameters, void **extra) {
    return cuLaunchKernel(function, c->grid_x, c->grid_y, c->grid_z, c->block_x, c->block_y, c->block_z, c->shared_bytes, c->stream, parameters,
                          extra);
}

// Capture and graphs

API CUresult cuStreamBeginCapture_v2(void *handle, int mode) {
    BEGIN
    Stream *stream = stream_of(handle);
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    if (stream == legacy)
        return report(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "the legacy stream cannot be captured");
    if (stream->capture)
        return report(CUDA_ERROR_ILLEGAL_STATE, "the stream is captured already");
    stream->capture = new Capture{mode, std::this_thread::get_id(), stream};
    stream->captured = 0;
    captures.insert(stream->capture);
    return CUDA_SUCCESS;
}
API CUresult cuStreamIsCapturing(void *handle, int *status) {
    BEGIN
    Stream *stream = stream_of(handle);
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    *status = !stream->capture ? 0 : stream->capture->is_valid ? 1 : 2;
    return CUDA_SUCCESS;
}
API CUresult cuStreamEndCapture(void *handle, std::shared_ptr<Graph> **graph) {
    BEGIN
    *graph = nullptr;
    Stream *stream = stream_of(handle);
    if (!stream || !stream->capture)
        return report(CUDA_ERROR_ILLEGAL_STATE, "the end of a capture that did not begin");
    Capture *ending = stream->capture;
    if (ending->mode != RELAXED && ending->thread != std::this_thread::get_id())
        return report(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, "a capture ends in another thread than it began");
    if (ending->origin != stream)
        return report(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "a capture ends in another stream than it began");
    const std::unique_ptr<Capture> capture(ending);
    captures.erase(ending);
    bool is_joined = true;
    for (Stream *other : streams)
        if (other->capture == ending) {
            is_joined = is_joined && (other == stream || other->is_joined);
            other->capture = nullptr;
        }
    // What a capture allocates is there once its graph is launched.
    for (const auto &node : capture->graph->memory)
        if (!node.is_free)
            node.block->owned = false;
    if (!capture->is_valid)
        return report(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "the end of a capture that was made void");
    if (!is_joined)
        return report(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "the capture's first stream does not wait for another that joined it");
    *graph = new std::shared_ptr<Graph>(capture->graph);
    return CUDA_SUCCESS;
}
API CUresult cuGraphInstantiateWithFlags(Exec **exec, std::shared_ptr<Graph> *graph, unsigned long long flags) {
    BEGIN
    constexpr unsigned long long AUTO_FREE = 1, UPLOAD = 2, DEVICE_LAUNCH = 4, PRIORITY = 8;
    if (flags & ~(AUTO_FREE | DEVICE_LAUNCH | PRIORITY) || flags & UPLOAD || (flags & AUTO_FREE && flags & DEVICE_LAUNCH))
        return report(CUDA_ERROR_INVALID_VALUE, "flags of cuGraphInstantiate");
    if ((*graph)->instantiated && !(*graph)->memory.empty())
        return report(CUDA_ERROR_NOT_SUPPORTED, "a graph that allocates is instantiated twice");
    (*graph)->instantiated = true;
    *exec = new Exec{*graph, (flags & AUTO_FREE) != 0};
    return CUDA_SUCCESS;
}
API CUresult cuGraphUpload(Exec *, void *) { return sticky; }
API CUresult cuGraphLaunch(Exec *exec, void *handle) {
    BEGIN
    Stream *stream = stream_of(handle);
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    if (stream->capture)
        return invalidate(stream->capture, CUDA_ERROR_NOT_SUPPORTED, "the stand-in takes no graph into a graph");
    const std::shared_ptr<Graph> graph = exec->graph;
    for (const auto &node : graph->memory) {
        if (node.is_free || !node.block->owned)
            continue;
        if (!exec->frees_on_launch)
            return report(CUDA_ERROR_INVALID_VALUE, "a graph is launched again, and " + name(*node.block) + " of its last launch is not freed");
        node.block->owned = false;
        TRY(enqueue(stream, [block = node.block] { return end_life(block); }))
    }
    for (const auto &node : graph->memory) {
        if (node.is_free && !node.block->owned)
            return report(CUDA_ERROR_INVALID_VALUE, "a graph frees " + name(*node.block) + ", which is not allocated");
        node.block->owned = !node.is_free;
    }
    return enqueue(stream, [graph] {
        for (const Work &node : graph->nodes)
            TRY(node())
        return CUDA_SUCCESS;
    });
}
API CUresult cuGraphExecDestroy(Exec *exec) {
    Lock lock(everything);
    exec->graph->instantiated = false;
    delete exec;
    return sticky;
}
API CUresult cuGraphDestroy(std::shared_ptr<Graph> *graph) {
    Lock lock(everything);
    delete graph;
    return sticky;
}
