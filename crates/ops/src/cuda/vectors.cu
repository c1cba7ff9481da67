// Products of a matrix and a vector, sums of columns, and what follows a product that a library has made: all of them pass over
// a matrix once, which takes as long as its bytes do.

#include "epilogue.cuh"

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
    const unsigned row = thread_number() / WARP, lane = threadIdx.x % WARP;
    if (row >= m)
        return;
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
        c[row] = finished(sum, factors(epilogue, row, 0), epilogue);
}

// Each element of C(m, n) from its `sum(row, column)`: four for each thread, of one row.
template <class Sum>
__device__ __forceinline__ void finish_each(float *c, unsigned m, unsigned n, const Epilogue &epilogue, Sum sum) {
    constexpr unsigned EACH = 4;
    const unsigned left = blockIdx.x * blockDim.x * EACH + threadIdx.x;
    for (unsigned row = blockIdx.y; row < m; row += gridDim.y) {
        Factors later[EACH];
        float sums[EACH];
#pragma unroll
        for (unsigned i = 0, column = left; i < EACH; i++, column += blockDim.x)
            if (column < n) {
                later[i] = factors(epilogue, row * n + column, column);
                sums[i] = sum(row, column);
            }
#pragma unroll
        for (unsigned i = 0, column = left; i < EACH; i++, column += blockDim.x)
            if (column < n)
                c[row * n + column] = finished(sums[i], later[i], epilogue);
    }
}

// C(m, n) = a(m) b(n)^T.
extern "C" __global__ void outer(const float *a, const float *b, float *c, unsigned m, unsigned n, Epilogue epilogue) {
    finish_each(c, m, n, epilogue, [=](unsigned row, unsigned column) { return a[row] * b[column]; });
}

// The epilogue alone, on a C that a library has made.
extern "C" __global__ void finish(float *c, unsigned m, unsigned n, Epilogue epilogue) {
    finish_each(c, m, n, epilogue, [=](unsigned row, unsigned column) { return c[row * n + column]; });
}

// The sums of the columns of `a` (k, n), each row times its weight, where there are weights (k,), whose own sum is made as well: a block
// of 32 x 32 threads for 32 columns.
extern "C" __global__ void column_sums(const float *a, const float *weights, float *sums, float *sum_of_weights, unsigned k, unsigned n) {
    __shared__ float partial[32][32], partial_weights[32];
    const unsigned column = blockIdx.x * 32 + threadIdx.x;
    float sum = 0.f, weight_sum = 0.f;
#pragma unroll 4
    for (unsigned row = threadIdx.y; row < k; row += 32) {
        const float weight = weights ? weights[row] : 1.f;
        weight_sum += weight;
        if (column < n)
            sum = fmaf(a[(size_t)row * n + column], weight, sum);
    }
    partial[threadIdx.y][threadIdx.x] = sum;
    if (threadIdx.x == 0)
        partial_weights[threadIdx.y] = weight_sum;
    __syncthreads();
    if (threadIdx.y != 0)
        return;
    for (int i = 1; i < 32; i++) {
        sum += partial[i][threadIdx.x];
        weight_sum += partial_weights[i];
    }
    if (column < n)
        sums[column] = sum;
    if (sum_of_weights && column == 0)
        *sum_of_weights = weight_sum;
}
