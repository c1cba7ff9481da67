// Products of small matrices, with what a layer does before and after them.
//
// A step on MNIST multiplies matrices of a few hundred rows: too few tiles to fill a GPU, and each of them a long sum. So a block
// makes a small tile of C, and its four groups of 64 threads share out the *sum*: each takes every fourth slice of 16 along it,
// and the four partial sums are added in the end, in a fixed order: the same bits every time.
//
// Matrices are row after row. `nt`: C(m, n) = A(m, k) B(n, k)^T; `nn`: A(m, k) B(k, n); `tn`: A(k, m)^T B(k, n).

#include "layer.cuh"

// What becomes of a sum on its way to C; a null pointer stands for "not".
struct Epilogue {
    const float *bias;   // (n,): added, and the activation applied
    const float *mask;   // (m, n): multiplied
    const float *y;      // (m, n): what an activation made, by whose derivative is multiplied
    int activation;
    float slope;
    int accumulate;      // whether C is added to
    float *sums;         // (m,), of `tn` alone: the sums of the columns of A
};

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

constexpr int GROUPS = 4;
constexpr int LANES = 64;   // threads of a group: 8 x 8, each with TM x 4 elements of the tile
constexpr int DEPTH = 16;   // of a slice
constexpr int COLUMNS = 32; // of a tile
constexpr int PAD = 4;      // between the rows of a slice, which then begin in different banks and stay aligned to 16 bytes

// The slice from `first` on of rows `row..row + ROWS` of an operand, a part of it for each lane. Outside the matrix it is 0.
template <int ROWS, bool ALONG_K>
struct Slice {
    static constexpr int COUNT = ROWS * DEPTH / LANES;
    float values[COUNT];

    static __device__ __forceinline__ int row_of(int element) { return ALONG_K ? element / DEPTH : element % ROWS; }
    static __device__ __forceinline__ int k_of(int element) { return ALONG_K ? element % DEPTH : element / ROWS; }

    __device__ __forceinline__ void load(const float *x, int row, int rows, int first, int k, int lane) {
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            const int r = row + row_of(lane + i * LANES), at = first + k_of(lane + i * LANES);
            const long long index = ALONG_K ? (long long)r * k + at : (long long)at * rows + r;
            values[i] = r < rows && at < k ? x[index] : 0.f;
        }
    }

    __device__ __forceinline__ void store(float (*shared)[ROWS + PAD], int lane) const {
#pragma unroll
        for (int i = 0; i < COUNT; i++)
            shared[k_of(lane + i * LANES)][row_of(lane + i * LANES)] = values[i];
    }

    // Of an operand whose columns run along its rows, a lane holds elements of one column only.
    __device__ __forceinline__ float sum() const {
        float sum = 0.f;
#pragma unroll
        for (int i = 0; i < COUNT; i++)
            sum += values[i];
        return sum;
    }
};

template <int ROWS, bool A_ALONG_K, bool B_ALONG_K>
__device__ __forceinline__ void product(const float *a, const float *b, float *c, int m, int n, int k, unsigned tile_of_rows,
                                        unsigned tile_of_columns, const Epilogue &epilogue) {
    constexpr int TM = ROWS / 8;
    __shared__ __align__(16) float shared_a[GROUPS][DEPTH][ROWS + PAD];
    __shared__ __align__(16) float shared_b[GROUPS][DEPTH][COLUMNS + PAD];
    __shared__ float partial[GROUPS][ROWS * COLUMNS];
    __shared__ float column_sums[GROUPS * LANES];

    const int group = threadIdx.x / LANES, lane = threadIdx.x % LANES;
    const int row = tile_of_rows * ROWS, column = tile_of_columns * COLUMNS;
    const int tile_row = lane / 8 * TM, tile_column = lane % 8 * 4;
    const bool sums = !A_ALONG_K && epilogue.sums && tile_of_columns == 0;

    float tile[TM][4] = {};
    float column_sum = 0.f;
    Slice<ROWS, A_ALONG_K> slice_a;
    Slice<COLUMNS, B_ALONG_K> slice_b;
    const int turns = (k + GROUPS * DEPTH - 1) / (GROUPS * DEPTH);
    slice_a.load(a, row, m, group * DEPTH, k, lane);
    slice_b.load(b, column, n, group * DEPTH, k, lane);
    for (int turn = 0; turn < turns; turn++) {
        slice_a.store(shared_a[group], lane);
        slice_b.store(shared_b[group], lane);
        if (sums)
            column_sum += slice_a.sum();
        __syncthreads();
        // The next slice is on its way while this one is used.
        if (turn + 1 < turns) {
            const int first = ((turn + 1) * GROUPS + group) * DEPTH;
            slice_a.load(a, row, m, first, k, lane);
            slice_b.load(b, column, n, first, k, lane);
        }
#pragma unroll
        for (int depth = 0; depth < DEPTH; depth++) {
            float from_a[TM], from_b[4];
#pragma unroll
            for (int i = 0; i < TM; i++)
                from_a[i] = shared_a[group][depth][tile_row + i];
#pragma unroll
            for (int j = 0; j < 4; j++)
                from_b[j] = shared_b[group][depth][tile_column + j];
#pragma unroll
            for (int i = 0; i < TM; i++)
#pragma unroll
                for (int j = 0; j < 4; j++)
                    tile[i][j] = fmaf(from_a[i], from_b[j], tile[i][j]);
        }
        __syncthreads();
    }

#pragma unroll
    for (int i = 0; i < TM; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            partial[group][(tile_row + i) * COLUMNS + tile_column + j] = tile[i][j];
    column_sums[threadIdx.x] = column_sum;
    __syncthreads();

    for (int element = threadIdx.x; element < ROWS * COLUMNS; element += GROUPS * LANES) {
        const int at_row = row + element / COLUMNS, at_column = column + element % COLUMNS;
        if (at_row >= m || at_column >= n)
            continue;
        float value = (partial[0][element] + partial[1][element]) + (partial[2][element] + partial[3][element]);
        const long long at = (long long)at_row * n + at_column;
        if (epilogue.bias)
            value = activated(value + epilogue.bias[at_column], epilogue.activation, epilogue.slope);
        if (epilogue.mask)
            value *= epilogue.mask[at];
        if (epilogue.y)
            value *= derivative(epilogue.y[at], epilogue.activation, epilogue.slope);
        c[at] = epilogue.accumulate ? c[at] + value : value;
    }
    // The lanes whose column this is are ROWS apart.
    if (sums && threadIdx.x < ROWS && row + (int)threadIdx.x < m) {
        float sum = 0.f;
        for (int i = threadIdx.x; i < GROUPS * LANES; i += ROWS)
            sum += column_sums[i];
        epilogue.sums[row + threadIdx.x] = sum;
    }
}

#define PRODUCT(NAME, ROWS, A_ALONG_K, B_ALONG_K)                                                                            \
    extern "C" __global__ void __launch_bounds__(GROUPS *LANES)                                                              \
        NAME(const float *a, const float *b, float *c, int m, int n, int k, Epilogue epilogue) {                             \
        product<ROWS, A_ALONG_K, B_ALONG_K>(a, b, c, m, n, k, blockIdx.x, blockIdx.y, epilogue);                                                     \
    }

PRODUCT(product_nt_16, 16, true, true)
PRODUCT(product_nt_32, 32, true, true)
PRODUCT(product_nn_16, 16, true, false)
PRODUCT(product_nn_32, 32, true, false)
PRODUCT(product_tn_16, 16, false, false)
PRODUCT(product_tn_32, 32, false, false)

// A block for each tile of each product.
#define PRODUCTS(NAME, ROWS)                                                                                                 \
    extern "C" __global__ void __launch_bounds__(GROUPS *LANES) NAME(Products products) {                                   \
        int at = 0;                                                                                                          \
        while (blockIdx.x >= products.tiles[at + 1])                                                                         \
            at++;                                                                                                            \
        const unsigned tile = blockIdx.x - products.tiles[at], across = (products.n[at] + COLUMNS - 1) / COLUMNS;            \
        const Epilogue epilogue = {nullptr, nullptr, nullptr, 0, 0.f, 0, products.sums[at]};                                 \
        product<ROWS, false, false>(products.a[at], products.b[at], products.c[at], products.m[at], products.n[at],          \
                                    products.k[at], tile / across, tile % across, epilogue);                                 \
    }

PRODUCTS(products_tn_16, 16)
PRODUCTS(products_tn_32, 32)

// The epilogue alone, on a C that a library has made; one thread for each element.
extern "C" __global__ void finish(float *c, int m, int n, Epilogue epilogue) {
    const long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= (long long)m * n)
        return;
    float value = c[at];
    if (epilogue.bias)
        value = activated(value + epilogue.bias[at % n], epilogue.activation, epilogue.slope);
    if (epilogue.mask)
        value *= epilogue.mask[at];
    if (epilogue.y)
        value *= derivative(epilogue.y[at], epilogue.activation, epilogue.slope);
    c[at] = value;
}

// The sums of the columns of `a` (k, m): a block of 32 x 32 threads for 32 columns.
extern "C" __global__ void column_sums(const float *a, float *sums, int k, int m) {
    __shared__ float partial[32][32];
    const int column = blockIdx.x * 32 + threadIdx.x;
    float sum = 0.f;
    if (column < m)
        for (int row = threadIdx.y; row < k; row += 32)
            sum += a[(long long)row * m + column];
    partial[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < m) {
        for (int i = 1; i < 32; i++)
            sum += partial[i][threadIdx.x];
        sums[column] = sum;
    }
}
