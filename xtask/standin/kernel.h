// What compiled kernels and the driver know of each other.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <string>
#include <utility>
#include <type_traits>

namespace standin {

struct Index {
    unsigned x = 0, y = 0, z = 0;
    unsigned count() const { return x * y * z; }
};
extern Index thread_index, block_index, block_size, grid_size;

struct Parameter {
    size_t size;
    bool is_pointer;
};

struct Kernel {
    const char *name;
    const Parameter *parameters; // up to one of size 0
    void (*call)(void *const *arguments);
    char *shared_begin, *shared_end; // shared memory of its module
    unsigned long launches = 0;
};

void add(Kernel kernel);

// A kernel from its function.
template <auto F> struct Entry;
template <class... P, void (*F)(P...)> struct Entry<F> {
    static constexpr Parameter parameters[] = {{sizeof(P), std::is_pointer_v<P>}..., {0, false}};
    template <size_t... I> static void call_with(void *const *arguments, std::index_sequence<I...>) {
        F(*static_cast<P *>(arguments[I])...);
    }
    static void call(void *const *arguments) { call_with(arguments, std::index_sequence_for<P...>()); }
};

// What went wrong in a kernel, and the driver's error for it.
struct Failure {
    int error = 0;
    std::string what;
};

// Runs all blocks, up to the first that fails.
Failure run(const Kernel &kernel, Index grid, Index block, void *const *arguments);

// All memory of the device lies in one place, and of each granule is known how many bytes are allocated now.
constexpr size_t ARENA = size_t(64) << 30, GRANULE = 256;
extern char *const arena;
extern uint16_t *const allocated;

// Whether a kernel may read or write there: memory of the device as far as it is allocated, and everything of its own.
inline bool may_touch(const void *at, size_t count) {
    const size_t offset = size_t(static_cast<const char *>(at) - arena), granule = offset / GRANULE, in_granule = offset % GRANULE;
    if (offset >= ARENA || in_granule + count <= allocated[granule])
        return true;
    // Over the end of a whole granule.
    return allocated[granule] == GRANULE && in_granule + count - GRANULE <= allocated[granule + 1];
}
// Says it of an address that may not be touched.
std::string what_is_at(const void *at);

// Called by kernels.
void block_barrier_slow(const char *file, int line);
void warp_barrier_slow(int line, unsigned mask);
uint64_t exchange(int line, unsigned mask, uint64_t value, unsigned source_lane);
void multiply_add_tf32(int line, float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]);
[[noreturn]] void assertion(const char *condition, int line);
unsigned lane();

inline void block_barrier(const char *file, int line) {
    asm volatile("" ::: "memory");
    block_barrier_slow(file, line);
    asm volatile("" ::: "memory");
}

inline void warp_barrier(int line, unsigned mask = ~0u) {
    asm volatile("" ::: "memory");
    warp_barrier_slow(line, mask);
    asm volatile("" ::: "memory");
}

enum class Shuffle { INDEX, UP, DOWN, XOR };

template <class T> T shuffle(int line, Shuffle kind, unsigned mask, T value, unsigned by, unsigned width = 32) {
    static_assert(sizeof(T) <= 8, "a shuffle moves up to 8 bytes");
    const unsigned here = lane(), first = here / width * width, in_segment = here % width;
    unsigned from = here; // that of its own where the source is in another segment
    switch (kind) {
    case Shuffle::INDEX: from = first + by % width; break;
    case Shuffle::UP: from = in_segment >= by ? here - by : here; break;
    case Shuffle::DOWN: from = in_segment + by < width ? here + by : here; break;
    case Shuffle::XOR: from = (here ^ by) < first + width ? here ^ by : here; break;
    }
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = exchange(line, mask, bits, from);
    memcpy(&value, &bits, sizeof value);
    return value;
}

} // namespace standin
