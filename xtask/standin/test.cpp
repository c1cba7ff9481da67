// The stand-in's own tests: that it runs what is right, and notices what is wrong. Each case is a process.

#include "driver.h"

#include <functional>
#include <math.h>
#include <memory>
#include <stdio.h>
#include <stdlib.h>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

extern "C" {
int cuStreamCreate(void **, unsigned), cuStreamSynchronize(void *), cuCtxSynchronize();
int cuMemAllocAsync(CUdeviceptr *, size_t, void *), cuMemFreeAsync(CUdeviceptr, void *), cuMemAlloc_v2(CUdeviceptr *, size_t);
int cuMemcpyHtoDAsync_v2(CUdeviceptr, const void *, size_t, void *), cuMemcpyDtoHAsync_v2(void *, CUdeviceptr, size_t, void *);
int cuEventCreate(void **, unsigned), cuEventRecord(void *, void *), cuStreamWaitEvent(void *, void *, unsigned), cuEventQuery(void *);
int cuModuleLoadData(void **, const void *), cuModuleGetFunction(void **, void *, const char *);
int cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);
int cuStreamBeginCapture_v2(void *, int), cuStreamEndCapture(void *, void **);
int cuGraphInstantiateWithFlags(void **, void *, unsigned long long), cuGraphLaunch(void *, void *);
int cublasCreate_v2(void **), cublasSetStream_v2(void *, void *);
int cublasSgemm_v2(void *, int, int, int, int, int, const float *, const float *, int, const float *, int, const float *, float *, int);
}

namespace {

void *stream = nullptr, *module = nullptr;

// Of a step that must succeed.
void good(int result) {
    if (result) {
        fprintf(stderr, "unexpected error %d\n", result);
        _exit(99);
    }
}

CUdeviceptr allocate(size_t floats) {
    CUdeviceptr at;
    good(cuMemAllocAsync(&at, 4 * floats, stream));
    return at;
}

std::vector<float> read(CUdeviceptr from, size_t floats) {
    std::vector<float> values(floats);
    good(cuMemcpyDtoHAsync_v2(values.data(), from, 4 * floats, stream));
    return values;
}

template <class... Arguments> int launch_on(void *on, const char *name, unsigned blocks, unsigned threads, Arguments... arguments) {
    void *function, *pointers[] = {&arguments...};
    if (int bad = cuModuleGetFunction(&function, module, name))
        return bad;
    return cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, 0, on, pointers, nullptr);
}
template <class... Arguments> int launch(const char *name, unsigned blocks, unsigned threads, Arguments... arguments) {
    return launch_on(stream, name, blocks, threads, arguments...);
}
int launch_and_wait(const char *name, unsigned threads, CUdeviceptr out) {
    good(launch(name, 1, threads, out));
    return cuStreamSynchronize(stream);
}

void begin_capture() { good(cuStreamBeginCapture_v2(stream, 1)); }
void *end_capture(unsigned long long flags = 0) {
    void *graph, *exec;
    good(cuStreamEndCapture(stream, &graph));
    good(cuGraphInstantiateWithFlags(&exec, graph, flags));
    return exec;
}
int failing_end() {
    void *graph;
    return cuStreamEndCapture(stream, &graph);
}

int failures = 0;

// Runs a case: it gives `expected`, and says `said`.
void expect(const char *what, int expected, const char *said, const std::function<int()> &body) {
    int pipe_ends[2];
    good(pipe(pipe_ends));
    const pid_t child = fork();
    if (child == 0) {
        dup2(pipe_ends[1], 2);
        good(cuStreamCreate(&stream, 1));
        std::string ptx;
        for (const char *name : {"add_one", "sum", "multiply", "barrier_in_a_branch", "two_barriers", "neighbour", "one_too_many", "nowhere", "misaligned",
                                 "there_is_none"})
            ptx += std::string(".visible .entry ") + name + "() {}\n";
        good(cuModuleLoadData(&module, (ptx + ".visible .entry fill() .maxntid 256, 1, 1 {}").c_str()));
        const int got = body();
        if (got != expected)
            fprintf(stderr, "expected %d, got %d\n", expected, got);
        _exit(got == expected ? 0 : 1);
    }
    close(pipe_ends[1]);
    std::string output;
    char text[4096];
    for (ssize_t count; (count = ::read(pipe_ends[0], text, sizeof text)) > 0;)
        output.append(text, size_t(count));
    close(pipe_ends[0]);
    int status;
    waitpid(child, &status, 0);
    const bool is_good = status == 0 && (*said ? output.find(said) != std::string::npos : output.empty());
    if (!is_good) {
        failures++;
        fprintf(stderr, "FAILED %s: status %d, expected to hear \"%s\", heard:\n%s", what, status, said, output.c_str());
    }
}

void kernels() {
    expect("a sum over blocks", 0, "", [] {
        std::vector<float> x(3 * 128);
        for (size_t i = 0; i < x.size(); i++)
            x[i] = float(i);
        const CUdeviceptr from = allocate(x.size()), out = allocate(3);
        good(cuMemcpyHtoDAsync_v2(from, x.data(), 4 * x.size(), stream));
        good(launch("sum", 3, 128, from, out));
        const std::vector<float> sums = read(out, 3);
        return sums[0] == 127 * 64 && sums[1] == 128 * 128 + 127 * 64 && sums[2] == 2 * 128 * 128 + 127 * 64 ? 0 : -1;
    });
    expect("a product by a warp", 0, "", [] {
        std::vector<float> a(16 * 8), b(8 * 8);
        // Small integers; and what TF32 has no bits for, which is not looked at.
        for (size_t i = 0; i < a.size(); i++)
            a[i] = float(i * 7 % 11) - 5.f;
        for (size_t i = 0; i < b.size(); i++)
            b[i] = 1.f + float(i * 5 % 13) + 0x1p-11f;
        const CUdeviceptr from_a = allocate(a.size()), from_b = allocate(b.size()), out = allocate(16 * 8);
        good(cuMemcpyHtoDAsync_v2(from_a, a.data(), 4 * a.size(), stream));
        good(cuMemcpyHtoDAsync_v2(from_b, b.data(), 4 * b.size(), stream));
        good(launch("multiply", 1, 32, from_a, from_b, out));
        const std::vector<float> product = read(out, 16 * 8);
        int wrong = 0;
        for (size_t at = 0; at < product.size(); at++) {
            float sum = 0.f;
            for (size_t k = 0; k < 8; k++)
                sum += a[at / 8 * 8 + k] * floorf(b[k * 8 + at % 8]);
            wrong += product[at] != sum;
        }
        return wrong;
    });
    expect("a barrier that some pass by", 719, "barrier_in_a_branch: thread (31, 0, 0) of block (0, 0, 0) waits at the __syncthreads of line",
           [] { return launch_and_wait("barrier_in_a_branch", 64, allocate(64)); });
    expect("two barriers for one", 719, "at that of line", [] { return launch_and_wait("two_barriers", 64, allocate(64)); });
    expect("a barrier that is missing", 0, "", [] {
        const CUdeviceptr out = allocate(64);
        int wrong[2] = {};
        for (bool waits : {false, true})
            for (int time = 0; time < 2; time++) {
                good(launch("neighbour", 1, 64, out, waits));
                const std::vector<float> got = read(out, 64);
                for (size_t i = 0; i < 64; i++)
                    wrong[waits] += got[i] != float((i + 1) % 64);
            }
        // Forwards all but the last are wrong, backwards the first.
        return wrong[false] == 64 && wrong[true] == 0 ? 0 : -1;
    });
    expect("a write beside an allocation", 700, "writes 4 bytes at",
           [] { return launch_and_wait("one_too_many", 4, allocate(4)); });
    expect("a read behind an allocation", 700, "behind the end of the allocation of 12 bytes",
           [] { good(launch("sum", 1, 32, allocate(3), allocate(1))); return cuStreamSynchronize(stream); });
    expect("a read from nowhere", 700, "nowhere: thread (0, 0, 0) of block (0, 0, 0) reads or writes where there is no memory", [] {
        good(launch("nowhere", 1, 1, allocate(1), 8ull));
        return cuStreamSynchronize(stream);
    });
    expect("sixteen bytes at once at a wrong address", 716, "at test.cu:", [] { return launch_and_wait("misaligned", 1, allocate(8)); });
    expect("a host's address", 700, "add_one, parameter 0",
           [] { float here; return launch_and_wait("add_one", 1, reinterpret_cast<CUdeviceptr>(&here)); });
    expect("impossible launches", 0, "maxntid", [] {
        const CUdeviceptr out = allocate(1);
        const bool refused = launch("add_one", 0, 1, out) == 1 && launch("add_one", 1, 1025, out) == 1 &&
                             launch("fill", 1, 257, out, 0.f, 1u) == 701 && launch("there_is_none", 1, 1) == 500 && launch("nor_that", 1, 1) == 500;
        fprintf(stderr, "maxntid");
        return refused ? 0 : -1;
    });
}

void memory() {
    expect("memory is NaN before it is written", 0, "", [] { return isnan(read(allocate(1), 1)[0]) ? 0 : -1; });
    expect("use after free", 700, "which is freed", [] {
        const CUdeviceptr x = allocate(1);
        good(cuMemFreeAsync(x, stream));
        return launch_and_wait("add_one", 1, x);
    });
    expect("freed twice", 1, "cuMemFreeAsync of what is not allocated", [] {
        const CUdeviceptr x = allocate(1);
        good(cuMemFreeAsync(x, stream));
        return cuMemFreeAsync(x, stream);
    });
    expect("another stream that does not wait", 700, "not yet there", [] {
        void *other;
        good(cuStreamCreate(&other, 1));
        good(launch_on(other, "add_one", 1, 1, allocate(1)));
        return cuStreamSynchronize(other);
    });
    expect("another stream that waits", 0, "", [] {
        void *other, *event;
        good(cuStreamCreate(&other, 1));
        good(cuEventCreate(&event, 2));
        const CUdeviceptr x = allocate(1);
        good(cuEventRecord(event, stream));
        good(cuStreamWaitEvent(other, event, 0));
        good(launch_on(other, "add_one", 1, 1, x));
        return cuStreamSynchronize(other);
    });
}

void captures() {
    expect("a graph", 0, "", [] {
        const CUdeviceptr x = allocate(1);
        float value = 1.f;
        good(launch("fill", 1, 1, x, value, 1u));
        begin_capture();
        const CUdeviceptr y = allocate(1);
        good(launch("fill", 1, 1, y, value, 1u));
        good(launch("add_one", 1, 1, x));
        good(cuMemFreeAsync(y, stream));
        void *exec = end_capture();
        if (read(x, 1)[0] != 1.f)
            return -1;
        for (int time = 0; time < 3; time++)
            good(cuGraphLaunch(exec, stream));
        return read(x, 1)[0] == 4.f ? 0 : -1;
    });
    const auto void_by = [](const char *what, int error, const char *said, std::function<int()> call) {
        expect(what, 901, said, [=] {
            begin_capture();
            if (int got = call(); got != error)
                return got;
            return failing_end();
        });
    };
    void_by("waiting in a capture", 900, "cuStreamSynchronize", [] { return cuStreamSynchronize(stream); });
    void_by("waiting for everything in a capture", 900, "cuCtxSynchronize", [] { return cuCtxSynchronize(); });
    void_by("cuMemAlloc in a capture", 900, "cuMemAlloc", [] { CUdeviceptr at; return cuMemAlloc_v2(&at, 4); });
    expect("a copy to the host in a capture", 901, "pageable", [] {
        const CUdeviceptr x = allocate(1);
        float value;
        begin_capture();
        return cuMemcpyDtoHAsync_v2(&value, x, 4, stream) == 900 ? failing_end() : -1;
    });
    expect("a free in a capture of what was there before", 901, "from outside", [] {
        const CUdeviceptr x = allocate(1);
        begin_capture();
        return cuMemFreeAsync(x, stream) == 1 ? failing_end() : -1;
    });
    expect("memory that a graph keeps", 1, "is not freed", [] {
        begin_capture();
        allocate(1);
        void *exec = end_capture();
        good(cuGraphLaunch(exec, stream));
        return cuGraphLaunch(exec, stream);
    });
    expect("memory that a graph keeps until its next launch", 0, "", [] {
        begin_capture();
        const CUdeviceptr x = allocate(1);
        void *exec = end_capture(1);
        good(cuGraphLaunch(exec, stream));
        good(cuGraphLaunch(exec, stream));
        good(cuMemFreeAsync(x, stream));
        return cuStreamSynchronize(stream);
    });
    expect("a free of what a graph has not allocated yet", 1, "its graph was not launched", [] {
        begin_capture();
        const CUdeviceptr x = allocate(1);
        end_capture();
        return cuMemFreeAsync(x, stream);
    });
    expect("the end in another thread", 908, "another thread", [] {
        begin_capture();
        int result = 0;
        std::thread([&] { result = failing_end(); }).join();
        return result;
    });
    for (bool joins : {true, false})
        expect("a second stream in a capture", joins ? 0 : 904, joins ? "" : "does not wait", [joins] {
            void *other, *event;
            good(cuStreamCreate(&other, 1));
            good(cuEventCreate(&event, 2));
            const CUdeviceptr x = allocate(1);
            begin_capture();
            good(cuEventRecord(event, stream));
            good(cuStreamWaitEvent(other, event, 0));
            good(launch_on(other, "fill", 1, 1, x, 1.f, 1u));
            good(cuEventRecord(event, other));
            if (joins)
                good(cuStreamWaitEvent(stream, event, 0));
            return failing_end();
        });
    expect("an event from outside", 905, "from outside", [] {
        void *event;
        good(cuEventCreate(&event, 2));
        good(cuEventRecord(event, stream));
        begin_capture();
        return cuStreamWaitEvent(stream, event, 0);
    });
}

void products() {
    expect("products", 0, "", [] {
        void *blas;
        good(cublasCreate_v2(&blas));
        good(cublasSetStream_v2(blas, stream));
        constexpr int M = 5, N = 3, K = 4;
        const float alpha = 2.f, beta = -1.f;
        std::vector<float> a(M * K), b(K * N), c(M * N, 1.f);
        for (int i = 0; i < M * K; i++)
            a[size_t(i)] = float(i % 7) - 3.f;
        for (int i = 0; i < K * N; i++)
            b[size_t(i)] = float(i % 5) - 2.f;
        const CUdeviceptr on_a = allocate(a.size()), on_b = allocate(b.size()), on_c = allocate(c.size());
        good(cuMemcpyHtoDAsync_v2(on_a, a.data(), 4 * a.size(), stream));
        good(cuMemcpyHtoDAsync_v2(on_b, b.data(), 4 * b.size(), stream));
        for (int kind = 0; kind < 4; kind++) {
            const bool ta = kind & 1, tb = kind & 2;
            good(cuMemcpyHtoDAsync_v2(on_c, c.data(), 4 * c.size(), stream));
            good(cublasSgemm_v2(blas, ta, tb, M, N, K, &alpha, reinterpret_cast<float *>(on_a), ta ? K : M, reinterpret_cast<float *>(on_b),
                                tb ? N : K, &beta, reinterpret_cast<float *>(on_c), M));
            const std::vector<float> got = read(on_c, c.size());
            for (int i = 0; i < M; i++)
                for (int j = 0; j < N; j++) {
                    float sum = 0.f;
                    for (int p = 0; p < K; p++)
                        sum += a[size_t(ta ? i * K + p : p * M + i)] * b[size_t(tb ? p * N + j : j * K + p)];
                    if (got[size_t(j * M + i)] != 2.f * sum - 1.f)
                        return -1;
                }
        }
        return 0;
    });
}

} // namespace

int main() {
    kernels();
    memory();
    captures();
    products();
    if (!failures)
        printf("the stand-in does what it is to do, and notices what is wrong\n");
    return failures != 0;
}
