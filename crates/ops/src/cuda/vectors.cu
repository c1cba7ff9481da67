// Products of a matrix and a vector, sums of columns, and what follows a product that a library has made: all of them pass over
// a matrix once, which takes as long as its bytes do.

#include "epilogue.cuh"
#include "launch.cuh"

constexpr unsigned WARP = 32;

// The sum over a warp, in all its lanes.
__device__ __forceinline__ float over_warp(float x) {
#pragma unroll
    for (unsigned far = WARP / 2; far > 0; far /= 2)
        x += __shfl_xor_sync(~0u, x, far);
    return x;
}

// C(m, 1) = A(m, k) b(k): a warp for each row.
extern "C" __global__ void matrix_vector(const float *a, const float *b, float *c, unsigned m, unsigned k, Epilogue epilogue) {
    after_the_kernel_before();
    const unsigned row = thread_number() / WARP, lane = threadIdx.x % WARP;
    if (row >= m)
        return;
    const Factors later = factors(epilogue, row, 0);
    const float *from = a + (size_t)row * k;
    float sum = 0.f;
    if (k % 4 == 0 && ((size_t)a | (size_t)b) % 16 == 0) {
#pragma unroll 4
        for (unsigned i = 4 * lane; i < k; i += 4 * WARP) {
            const float4 x = *(const float4 *)(from + i), y = *(const float4 *)(b + i);
            sum = fmaf(x.x, y.x, fmaf(x.y, y.y, fmaf(x.z, y.z, fmaf(x.w, y.w, sum))));
        }
    } else {
        for (unsigned i = lane; i < k; i += WARP)
            sum = fmaf(from[i], b[i], sum);
    }
    sum = over_warp(sum);
    if (lane == 0)
        c[row] = finished(sum, later, epilogue);
}

// Each element of C(m, n) from its `sum(row, column)`: four for each thread, of one row.
template <class Sum>
__device__ __forceinline__ void finish_each(float *c, unsigned m, unsigned n, const Epilogue &epilogue, Sum sum) {
    constexpr unsigned EACH = 4;
    const unsigned left = blockIdx.x * blockDim.x * EACH + threadIdx.x;
    for (unsigned row = blockIdx.y; row < m; row += gridDim.y) {
        Factors later[EACH];
        float sums[EACH];
        for_each<EACH>(left, n, [&](unsigned each, unsigned column) {
            later[each] = factors(epilogue, row * n + column, column);
            sums[each] = sum(row, column);
        });
        for_each<EACH>(left, n, [&](unsigned each, unsigned column) {
            c[row * n + column] = finished(sums[each], later[each], epilogue);
        });
    }
}

// C(m, n) = a(m) b(n)^T.
extern "C" __global__ void outer(const float *a, const float *b, float *c, unsigned m, unsigned n, Epilogue epilogue) {
    after_the_kernel_before();
    finish_each(c, m, n, epilogue, [=](unsigned row, unsigned column) { return a[row] * b[column]; });
}

// The epilogue alone, on a C that a library has made.
extern "C" __global__ void finish(float *c, unsigned m, unsigned n, Epilogue epilogue) {
    after_the_kernel_before();
    finish_each(c, m, n, epilogue, [=](unsigned row, unsigned column) { return c[row * n + column]; });
}

constexpr int SIDE = 32; // of a block of columns and rows

// The sums over the rows of a block of columns of a (k, n), each row times its weight(row); all threads come here.
template <class Weight>
__device__ __forceinline__ void sum_columns(const float *a, float *sums, int k, int n, Weight weight) {
    __shared__ float partial[SIDE][SIDE];
    const int column = blockIdx.x * SIDE + threadIdx.x;
    float sum = 0.f;
    if (column < n)
        // Of a number with a sign the compiler knows that it never wraps around, and asks for several rows at once.
        for (int row = threadIdx.y; row < k; row += SIDE)
            sum = fmaf(a[(size_t)row * n + column], weight(row), sum);
    partial[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < n) {
        for (int i = 1; i < SIDE; i++)
            sum += partial[i][threadIdx.x];
        sums[column] = sum;
    }
}

// The sums of the columns of a (k, n).
extern "C" __global__ void column_sums(const float *a, float *sums, int k, int n) {
    after_the_kernel_before();
    sum_columns(a, sums, k, n, [](int) { return 1.f; });
}

// C(1, n) = a(k)^T B(k, n), and the sum of a; a block for 32 columns, and one more for that sum.
extern "C" __global__ void vector_matrix(const float *a, const float *b, float *c, float *sum, int k, int n) {
    after_the_kernel_before();
    if (blockIdx.x + 1 < gridDim.x) {
        sum_columns(b, c, k, n, [=](int row) { return a[row]; });
        return;
    }
    __shared__ float partial[SIDE];
    float part = 0.f;
    for (int row = threadIdx.y * SIDE + threadIdx.x; row < k; row += SIDE * SIDE)
        part += a[row];
    part = over_warp(part);
    if (threadIdx.x == 0)
        partial[threadIdx.y] = part;
    __syncthreads();
    if (threadIdx.y == 0) {
        part = over_warp(partial[threadIdx.x]);
        if (threadIdx.x == 0)
            *sum = part;
    }
}
