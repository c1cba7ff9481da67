// Runs the blocks of a launch one after the other, a fiber for each thread of a block.
//
// A fiber runs one thread after the other until one of them waits; then another fiber takes over. So a kernel without barriers is
// a plain loop. Every other block runs its threads backwards: what a missing barrier leaves to chance comes out both ways.

#include "kernel.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <vector>

namespace standin {

Index thread_index, block_index, block_size, grid_size;

namespace {

constexpr unsigned MOST_THREADS = 1024, WARP = 32;
constexpr size_t STACK = 64 << 10;

enum class State { NEW, READY, AT_BARRIER, AT_WARP, DONE };

struct Fiber {
    void *stack_pointer;
    char *stack;
    unsigned thread;
};

struct Thread {
    State state;
    Fiber *fiber;
    const char *file;
    int line;
    unsigned mask;
};

Thread threads[MOST_THREADS];
uint64_t exchanged[MOST_THREADS];
struct Factors {
    unsigned a[4], b[2];
} factors[MOST_THREADS];
unsigned thread_count, started, done;
bool backwards;
std::vector<Fiber *> idle, fibers;
Fiber *running;
void *scheduler;
const Kernel *kernel;
void *const *kernel_arguments;
Failure failure;

extern "C" __attribute__((visibility("hidden"))) void standin_switch(void **save, void *load);
asm(R"(
.text
.globl standin_switch
.hidden standin_switch
.type standin_switch, @function
standin_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size standin_switch, . - standin_switch
)");

unsigned in_order(unsigned i) { return backwards ? thread_count - 1 - i : i; }

Index index_of(unsigned thread) {
    return {thread % block_size.x, thread / block_size.x % block_size.y, thread / block_size.x / block_size.y};
}

void become(unsigned thread) {
    running->thread = thread;
    thread_index = index_of(thread);
}

std::string place(unsigned thread) {
    const Index t = index_of(thread), b = block_index;
    char text[160];
    snprintf(text, sizeof text, "thread (%u, %u, %u) of block (%u, %u, %u)", t.x, t.y, t.z, b.x, b.y, b.z);
    return text;
}

enum { ILLEGAL_ADDRESS = 700, ASSERT = 710, MISALIGNED_ADDRESS = 716, LAUNCH_FAILED = 719 };

// Leaves the fiber for good.
[[noreturn]] void fail(int error, const std::string &what) {
    failure = {error, place(running->thread) + what};
    void *lost;
    standin_switch(&lost, scheduler);
    __builtin_unreachable();
}

void fiber_main() {
    for (;;) {
        while (started < thread_count) {
            const unsigned thread = in_order(started++);
            threads[thread] = {State::READY, running, "", 0, 0};
            become(thread);
            kernel->call(kernel_arguments);
            threads[running->thread].state = State::DONE;
            done++;
        }
        idle.push_back(running);
        standin_switch(&running->stack_pointer, scheduler);
    }
}

void rewind(Fiber *fiber) {
    void **top = reinterpret_cast<void **>(fiber->stack + STACK);
    *--top = nullptr; // fiber_main returns nowhere, and begins as if called: 8 bytes off a multiple of 16
    *--top = reinterpret_cast<void *>(&fiber_main);
    for (int saved_register = 0; saved_register < 6; saved_register++)
        *--top = nullptr;
    fiber->stack_pointer = top;
}

Fiber *idle_fiber() {
    if (idle.empty()) {
        void *stack = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        fibers.push_back(new Fiber{nullptr, static_cast<char *>(stack), 0});
        rewind(fibers.back());
        idle.push_back(fibers.back());
    }
    Fiber *fiber = idle.back();
    idle.pop_back();
    return fiber;
}

void resume(Fiber *fiber) {
    running = fiber;
    standin_switch(&scheduler, fiber->stack_pointer);
}

void wait(State state, const char *file, int line, unsigned mask) {
    const unsigned thread = running->thread;
    threads[thread].state = state;
    threads[thread].file = file;
    threads[thread].line = line;
    threads[thread].mask = mask;
    standin_switch(&running->stack_pointer, scheduler);
    become(thread);
}

// Which lanes of a warp there are.
unsigned existing(unsigned warp) {
    const unsigned left = thread_count - warp * WARP;
    return left >= WARP ? ~0u : (1u << left) - 1;
}

void release_warps() {
    for (unsigned first = 0; first < thread_count; first += WARP) {
        for (unsigned i = first; i < first + WARP && i < thread_count; i++) {
            if (threads[i].state != State::AT_WARP)
                continue;
            const unsigned wanted = threads[i].mask & existing(first / WARP);
            unsigned there = 0;
            for (unsigned j = first; j < first + WARP && j < thread_count; j++)
                if (threads[j].state == State::AT_WARP && threads[j].line == threads[i].line && threads[j].mask == threads[i].mask)
                    there |= 1u << j % WARP;
            if ((there & wanted) == wanted)
                for (unsigned j = first; j < first + WARP && j < thread_count; j++)
                    if (wanted >> j % WARP & 1)
                        threads[j].state = State::READY;
        }
    }
}

// Lets all threads go on that have met; or says why none ever will.
void release() {
    unsigned waiting = 0, first = 0;
    for (unsigned i = 0; i < thread_count; i++)
        if (threads[i].state == State::AT_BARRIER) {
            first = waiting++ ? first : i;
            if (threads[i].line != threads[first].line || threads[i].file != threads[first].file) {
                failure = {LAUNCH_FAILED, place(first) + " waits at the __syncthreads of line " + std::to_string(threads[first].line) +
                                              " and " + place(i) + " at that of line " + std::to_string(threads[i].line)};
                return;
            }
        }
    if (waiting == thread_count) {
        for (unsigned i = 0; i < thread_count; i++)
            threads[i].state = State::READY;
        return;
    }
    release_warps();
    unsigned stuck = thread_count, returned = thread_count;
    for (unsigned i = 0; i < thread_count; i++)
        switch (threads[i].state) {
        case State::READY: return;
        case State::DONE: returned = i; break;
        default: stuck = i;
        }
    failure = {LAUNCH_FAILED, place(stuck) + " waits at the " +
                                  (threads[stuck].state == State::AT_WARP ? "shuffle or __syncwarp" : "__syncthreads") + " of line " +
                                  std::to_string(threads[stuck].line) + ", which others never reach"};
    if (returned < thread_count)
        failure.what += ": " + place(returned) + " has returned";
}

void run_block() {
    started = done = 0;
    while (started < thread_count && !failure.error)
        resume(idle_fiber());
    while (done < thread_count && !failure.error) {
        release();
        for (unsigned i = 0; i < thread_count && !failure.error; i++)
            if (threads[in_order(i)].state == State::READY)
                resume(threads[in_order(i)].fiber);
    }
}

void on_signal(int number) {
    if (number == SIGFPE)
        fail(LAUNCH_FAILED, " divides an integer by 0");
    fail(ILLEGAL_ADDRESS, " reads or writes where there is no memory");
}

} // namespace

void assertion(const char *condition, int line) {
    fail(ASSERT, ": the assertion of line " + std::to_string(line) + " does not hold: " + condition);
}

unsigned lane() { return running->thread % WARP; }

void block_barrier_slow(const char *file, int line) { wait(State::AT_BARRIER, file, line, 0); }

void warp_barrier_slow(int line, unsigned mask) {
    if (!(mask >> lane() & 1))
        fail(LAUNCH_FAILED, " is not in the mask of its own shuffle or __syncwarp of line " + std::to_string(line));
    wait(State::AT_WARP, "", line, mask);
}

uint64_t exchange(int line, unsigned mask, uint64_t value, unsigned source_lane) {
    const unsigned first = running->thread / WARP * WARP, source = first + source_lane;
    exchanged[running->thread] = value;
    warp_barrier(line, mask);
    // A lane that takes no part gives what nobody knows.
    const bool there = source < thread_count && mask >> source_lane & 1;
    const uint64_t got = there ? exchanged[source] : ~uint64_t(0);
    warp_barrier(line, mask);
    return got;
}

// d (16, 8) += a (16, 8) b (8, 8) by a warp; which lane has what, tensor_core.cuh says.
void multiply_add_tf32(int line, float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    const unsigned here = lane(), row = here / 4, column = here % 4 * 2;
    const Factors *const warp = factors + running->thread / WARP * WARP;
    memcpy(factors[running->thread].a, a, sizeof a);
    memcpy(factors[running->thread].b, b, sizeof b);
    warp_barrier(line);
    const auto tf32 = [](unsigned bits) {
        bits &= 0xffffe000; // the rest is not looked at
        float value;
        memcpy(&value, &bits, sizeof value);
        return (double)value;
    };
    for (unsigned i = 0; i < 4; i++) {
        double sum = d[i];
        for (unsigned k = 0; k < 8; k++)
            sum += tf32(warp[row * 4 + k % 4].a[i / 2 + k / 4 * 2]) * tf32(warp[(column + i % 2) * 4 + k % 4].b[k / 4]);
        d[i] = (float)sum;
    }
    warp_barrier(line);
}

Failure run(const Kernel &what, Index grid, Index block, void *const *arguments) {
    static unsigned long turn = 0;
    unsigned long number = turn++;
    kernel = &what;
    kernel_arguments = arguments;
    grid_size = grid;
    block_size = block;
    thread_count = block.count();
    failure = {};

    struct sigaction handler = {}, before[3];
    handler.sa_handler = on_signal;
    // As it never comes back from the handler, the next signal must not be held up.
    handler.sa_flags = SA_NODEFER | SA_ONSTACK;
    const int signals[] = {SIGSEGV, SIGBUS, SIGFPE};
    for (int i = 0; i < 3; i++)
        sigaction(signals[i], &handler, &before[i]);

    for (unsigned z = 0; z < grid.z && !failure.error; z++)
        for (unsigned y = 0; y < grid.y && !failure.error; y++)
            for (unsigned x = 0; x < grid.x && !failure.error; x++) {
                block_index = {x, y, z};
                backwards = number++ % 2;
                if (what.shared_begin)
                    memset(what.shared_begin, 0xff, size_t(what.shared_end - what.shared_begin));
                run_block();
            }

    for (int i = 0; i < 3; i++)
        sigaction(signals[i], &before[i], nullptr);
    if (failure.error) {
        idle.clear();
        for (Fiber *fiber : fibers) {
            rewind(fiber);
            idle.push_back(fiber);
        }
    }
    return failure;
}

} // namespace standin

// The kernels are compiled with checks: of every access to memory, for which these are called, ...
static void check(const char *does, const void *at, size_t count) {
    if (__builtin_expect(standin::may_touch(at, count), true))
        return;
    char text[64];
    snprintf(text, sizeof text, " %s %zu bytes at %p, ", does, count, at);
    standin::fail(standin::ILLEGAL_ADDRESS, text + standin::what_is_at(at));
}

#define ACCESS(SIZE)                                                                                          \
    HOOK void __asan_load##SIZE##_noabort(const void *at) { check("reads", at, SIZE); }                       \
    HOOK void __asan_store##SIZE##_noabort(const void *at) { check("writes", at, SIZE); }
#define HOOK extern "C" __attribute__((visibility("hidden")))
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
HOOK void __asan_loadN_noabort(const void *at, size_t count) { check("reads", at, count); }
HOOK void __asan_storeN_noabort(const void *at, size_t count) { check("writes", at, count); }
HOOK void __asan_handle_no_return() {}
HOOK void __asan_before_dynamic_init(const char *) {}
HOOK void __asan_after_dynamic_init() {}

// ... and of alignment and indices, whose failures come here.
struct Source {
    const char *file;
    unsigned line, column;
};

static std::string at(const Source *source) {
    const char *slash = strrchr(source->file, '/');
    return std::string(" at ") + (slash ? slash + 1 : source->file) + ":" + std::to_string(source->line);
}

HOOK void __ubsan_handle_type_mismatch_v1(const Source *source, void *address) {
    char text[64];
    snprintf(text, sizeof text, ": %p is misaligned for what is read or written there", address);
    standin::fail(standin::MISALIGNED_ADDRESS, at(source) + text);
}

HOOK void __ubsan_handle_out_of_bounds(const Source *source, size_t index) {
    standin::fail(standin::ILLEGAL_ADDRESS, at(source) + ": index " + std::to_string(static_cast<long>(index)) + " is outside of its array");
}
