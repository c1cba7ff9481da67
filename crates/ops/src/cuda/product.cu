// Products of small matrices, with what a layer does before and after them.
//
// A step on MNIST multiplies matrices of a few hundred rows: too few tiles to fill a GPU, and each of them a long sum. So a block
// makes a small tile of C, and its warps share out the *sum*: each takes every so manieth slice of 16 along it, and the partial
// sums are added in the end, in a fixed order: the same bits every time. No two warps need the same numbers, and so each loads
// its own straight into registers, where the tensor cores want them.
//
// Matrices are row after row, of less than 2^31 elements. `nt`: C(m, n) = A(m, k) B(n, k)^T; `nn`: A(m, k) B(k, n); `tn`: A(k, m)^T B(k, n).

#include "epilogue.cuh"
#include "launch.cuh"
#include "tensor_core.cuh"

constexpr int DEPTH = 16; // of a slice: two of the tensor cores'

// A slice of 8 SLOTS rows of an operand: lane 4 g + t has its elements 4 t to 4 t + 3 of one row of each slot. (Which of the slice's
// elements is the first is all the same to a sum, as long as both operands agree.)
template <int SLOTS, bool ALONG_K>
struct Slice {
    float values[SLOTS][4];

    // The row of a slot that lanes of this g have: neighbours of one lane are neighbours in memory.
    static __device__ __forceinline__ int row(int slot, int g) { return ALONG_K ? slot * 8 + g : g * SLOTS + slot; }

    // From `first` along k on. Where there is no such k it is 0; where there is no such row, another's.
    __device__ __forceinline__ void load(const float *x, int top, int rows, int first, int k, bool aligned) {
        const int g = threadIdx.x % 32 / 4, at = first + threadIdx.x % 4 * 4;
        if (aligned && ALONG_K) {
#pragma unroll
            for (int slot = 0; slot < SLOTS; slot++) {
                const float4 four = at < k ? *(const float4 *)(x + min(top + row(slot, g), rows - 1) * k + at) : float4{};
                values[slot][0] = four.x, values[slot][1] = four.y, values[slot][2] = four.z, values[slot][3] = four.w;
            }
        } else if (aligned) {
            const float *from = x + at * rows + min(top + row(0, g), rows - SLOTS);
#pragma unroll
            for (int i = 0; i < 4; i++, from += rows) {
                if constexpr (SLOTS == 4) {
                    const float4 four = at + i < k ? *(const float4 *)from : float4{};
                    values[0][i] = four.x, values[1][i] = four.y, values[2][i] = four.z, values[3][i] = four.w;
                } else {
                    const float2 two = at + i < k ? *(const float2 *)from : float2{};
                    values[0][i] = two.x, values[1][i] = two.y;
                }
            }
        } else {
#pragma unroll
            for (int slot = 0; slot < SLOTS; slot++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const int r = min(top + row(slot, g), rows - 1);
                    values[slot][i] = at + i < k ? x[ALONG_K ? r * k + at + i : (at + i) * rows + r] : 0.f;
                }
        }
    }

    // Whether `load` may read several numbers at once.
    static __device__ __forceinline__ bool aligned(const float *x, int rows, int k) {
        return (ALONG_K ? k : rows) % 4 == 0 && (size_t)x % 16 == 0;
    }
};

// The tile of 16 TM rows and 8 TN columns of C that begins at `top` and `left`.
template <int TM, int TN, int WARPS, bool A_ALONG_K, bool B_ALONG_K>
__device__ __forceinline__ void product(const float *a, const float *b, float *c, int m, int n, int k, int top, int left,
                                        const Epilogue &epilogue) {
    using SliceA = Slice<2 * TM, A_ALONG_K>;
    using SliceB = Slice<TN, B_ALONG_K>;
    constexpr int ROWS = 16 * TM, COLUMNS = 8 * TN, THREADS = 32 * WARPS, EACH = ROWS * COLUMNS / THREADS;
    // A column more than there are, for rows to begin in different banks.
    __shared__ float partial[WARPS][ROWS][COLUMNS + 1];
    __shared__ float partial_sums[WARPS][ROWS];
    const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    const bool sums = !A_ALONG_K && epilogue.sums && left == 0;

    // Which elements of C this thread finishes in the end.
    const auto row_of = [&](int i) { return (int)(threadIdx.x + i * THREADS) / COLUMNS; };
    const auto column_of = [&](int i) { return (int)(threadIdx.x + i * THREADS) % COLUMNS; };
    const auto is_there = [&](int i) { return top + row_of(i) < m && left + column_of(i) < n; };
    const auto place = [&](int i) { return (top + row_of(i)) * n + left + column_of(i); };
    Factors later[EACH];
#pragma unroll
    for (int i = 0; i < EACH; i++)
        if (is_there(i))
            later[i] = factors(epilogue, place(i), left + column_of(i));

    float tile[TM][TN][4] = {};
    float column_sums[2 * TM] = {};
    SliceA slice_a;
    SliceB slice_b;
    const bool aligned = SliceA::aligned(a, m, k) && SliceB::aligned(b, n, k);
    slice_a.load(a, top, m, warp * DEPTH, k, aligned);
    slice_b.load(b, left, n, warp * DEPTH, k, aligned);
    for (int first = warp * DEPTH; first < k; first += WARPS * DEPTH) {
        unsigned a_high[2 * TM][4], a_low[2 * TM][4], b_high[TN][4], b_low[TN][4];
#pragma unroll
        for (int slot = 0; slot < 2 * TM; slot++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                split(slice_a.values[slot][i], a_high[slot][i], a_low[slot][i]);
#pragma unroll
        for (int slot = 0; slot < TN; slot++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                split(slice_b.values[slot][i], b_high[slot][i], b_low[slot][i]);
        if (sums)
#pragma unroll
            for (int slot = 0; slot < 2 * TM; slot++)
                column_sums[slot] += (slice_a.values[slot][0] + slice_a.values[slot][1]) +
                                     (slice_a.values[slot][2] + slice_a.values[slot][3]);
        // The next slice is on its way while this one is used.
        if (first + WARPS * DEPTH < k) {
            slice_a.load(a, top, m, first + WARPS * DEPTH, k, aligned);
            slice_b.load(b, left, n, first + WARPS * DEPTH, k, aligned);
        }
        // The small terms first; and one after the other to each part of the tile, so that none waits for the one before.
#pragma unroll
        for (int half = 0; half < 4; half += 2)
#pragma unroll
            for (int term = 0; term < 3; term++)
#pragma unroll
                for (int i = 0; i < TM; i++)
#pragma unroll
                    for (int j = 0; j < TN; j++) {
                        const auto &from_a = term == 0 ? a_low : a_high;
                        const auto &from_b = term == 1 ? b_low : b_high;
                        multiply_add_tf32(tile[i][j],
                                          {from_a[2 * i][half], from_a[2 * i + 1][half], from_a[2 * i][half + 1], from_a[2 * i + 1][half + 1]},
                                          {from_b[j][half], from_b[j][half + 1]});
                    }
    }

#pragma unroll
    for (int i = 0; i < TM; i++)
#pragma unroll
        for (int j = 0; j < TN; j++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                partial[warp][SliceA::row(2 * i + e / 2, g)][SliceB::row(j, 2 * t + e % 2)] = tile[i][j][e];
    if (sums)
#pragma unroll
        for (int slot = 0; slot < 2 * TM; slot++) {
            float sum = column_sums[slot];
            sum += __shfl_xor_sync(~0u, sum, 1);
            sum += __shfl_xor_sync(~0u, sum, 2);
            if (t == 0)
                partial_sums[warp][SliceA::row(slot, g)] = sum;
        }
    __syncthreads();

#pragma unroll
    for (int i = 0; i < EACH; i++) {
        if (!is_there(i))
            continue;
        float sum = 0.f;
#pragma unroll
        for (int w = 0; w < WARPS; w++)
            sum += partial[w][row_of(i)][column_of(i)];
        const float value = finished(sum, later[i], epilogue);
        c[place(i)] = epilogue.accumulate ? c[place(i)] + value : value;
    }
    if (sums && threadIdx.x < ROWS && top + (int)threadIdx.x < m) {
        float sum = 0.f;
#pragma unroll
        for (int w = 0; w < WARPS; w++)
            sum += partial_sums[w][threadIdx.x];
        epilogue.sums[top + threadIdx.x] = sum;
    }
}

#define PRODUCT(NAME, TM, TN, WARPS, A_ALONG_K, B_ALONG_K)                                                                   \
    extern "C" __global__ void __launch_bounds__(WARPS * 32)                                                                 \
        NAME(const float *a, const float *b, float *c, int m, int n, int k, Epilogue epilogue) {                             \
        after_the_kernel_before();                                                                                        \
        product<TM, TN, WARPS, A_ALONG_K, B_ALONG_K>(a, b, c, m, n, k, blockIdx.x * TM * 16, blockIdx.y * TN * 8, epilogue); \
    }
PRODUCT(product_nt_small, 1, 2, 8, true, true)
PRODUCT(product_nt_middle, 1, 4, 8, true, true)
PRODUCT(product_nt_lean, 1, 4, 4, true, true)
PRODUCT(product_nn_small, 1, 2, 8, true, false)
PRODUCT(product_nn_middle, 1, 4, 8, true, false)
PRODUCT(product_nn_lean, 1, 4, 4, true, false)
PRODUCT(product_tn, 2, 4, 4, false, false)

// Several products of the form `tn` in one launch: the gradients of all layers of a network.
constexpr int MAX_PRODUCTS = 8;
struct Products {
    const float *a[MAX_PRODUCTS];
    const float *b[MAX_PRODUCTS];
    float *c[MAX_PRODUCTS];
    float *sums[MAX_PRODUCTS];
    int m[MAX_PRODUCTS];
    int n[MAX_PRODUCTS];
    int k[MAX_PRODUCTS];
    unsigned tiles[MAX_PRODUCTS + 1]; // the first tile of each
};

// A block for each tile of each product, 32 x 32.
extern "C" __global__ void __launch_bounds__(128) products_tn(Products products) {
    after_the_kernel_before();
    int at = 0;
    while (blockIdx.x >= products.tiles[at + 1])
        at++;
    const int tile = blockIdx.x - products.tiles[at], across = (products.n[at] + 31) / 32;
    const Epilogue epilogue = {nullptr, nullptr, nullptr, 0, 0.f, 0, products.sums[at]};
    product<2, 4, 4, false, false>(products.a[at], products.b[at], products.c[at], products.m[at], products.n[at], products.k[at],
                                   tile / across * 32, tile % across * 32, epilogue);
}
