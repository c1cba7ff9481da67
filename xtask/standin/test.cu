// Kernels for test.cpp, most of them wrong.

extern "C" __global__ void fill(float *out, float value, unsigned count) {
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count)
        out[i] = value;
}

extern "C" __global__ void add_one(float *x) { *x += 1.f; }

// The sum of a block's numbers, by shuffles and shared memory.
extern "C" __global__ void sum(const float *x, float *out) {
    __shared__ float warps[32];
    float sum = x[blockIdx.x * blockDim.x + threadIdx.x];
    for (int by = 16; by > 0; by /= 2)
        sum += __shfl_down_sync(0xffffffff, sum, by);
    if (threadIdx.x % 32 == 0)
        warps[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (unsigned i = 1; i < blockDim.x / 32; i++)
            sum += warps[i];
        out[blockIdx.x] = sum;
    }
}

// a (16, 8) times b (8, 8), by a warp.
extern "C" __global__ void multiply(const float *a, const float *b, float *out) {
    const unsigned row = threadIdx.x / 4, column = threadIdx.x % 4;
    unsigned from_a[4], from_b[2];
    for (unsigned i = 0; i < 4; i++)
        from_a[i] = __float_as_uint(a[(row + i % 2 * 8) * 8 + column + i / 2 * 4]);
    for (unsigned i = 0; i < 2; i++)
        from_b[i] = __float_as_uint(b[(column + i * 4) * 8 + row]);
    float sums[4] = {};
    multiply_add_tf32(sums, from_a, from_b);
    for (unsigned i = 0; i < 4; i++)
        out[(row + i / 2 * 8) * 8 + column * 2 + i % 2] = sums[i];
}

extern "C" __global__ void barrier_in_a_branch(float *out) {
    if (threadIdx.x < 32)
        __syncthreads();
    out[threadIdx.x] = 0.f;
}

extern "C" __global__ void two_barriers(float *out) {
    if (threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads();
    out[threadIdx.x] = 0.f;
}

// Each takes its neighbour's number; one of them without waiting for it.
extern "C" __global__ void neighbour(float *out, bool waits) {
    __shared__ float number[64];
    number[threadIdx.x] = (float)threadIdx.x;
    if (waits)
        __syncthreads();
    out[threadIdx.x] = number[(threadIdx.x + 1) % 64];
}

extern "C" __global__ void one_too_many(float *out) { out[blockDim.x - threadIdx.x] = 0.f; }

extern "C" __global__ void nowhere(float *out, unsigned long long address) { *out = *(float *)address; }

extern "C" __global__ void misaligned(float *out) { *(float4 *)(out + 1) = make_float4(0.f, 0.f, 0.f, 0.f); }
