// Random numbers as ganlet-random has them: a function of seed, domain and step. The integers are Philox 4x32-10's (Salmon et al., SC
// 2011, section 3.3); the floats are made of them by the same operations in the same order as on a CPU: the same bits.

#include "launch.cuh"

// One or two streams, whose numbers go one behind the other; blockIdx.y says which of them a block draws from.
struct Streams {
    const unsigned long long *clock; // its first number is the step
    unsigned seed_low, seed_high;
    unsigned domain[2];
    unsigned first[2]; // what was drawn before: of normal numbers blocks, of uniform ones words
    unsigned count[2]; // how many numbers
};

struct Block {
    unsigned word[4];
};

__device__ __forceinline__ Block philox(const Streams &stream, unsigned block) {
    const unsigned long long step = *stream.clock;
    unsigned x0 = block, x1 = stream.domain[blockIdx.y], x2 = (unsigned)step, x3 = (unsigned)(step >> 32);
    unsigned key0 = stream.seed_low, key1 = stream.seed_high;
    for (int round = 0; round < 10; round++) {
        const unsigned long long a = 0xD2511F53ull * x0, b = 0xCD9E8D57ull * x2;
        x0 = (unsigned)(b >> 32) ^ x1 ^ key0;
        x1 = (unsigned)b;
        x2 = (unsigned)(a >> 32) ^ x3 ^ key1;
        x3 = (unsigned)a;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return {{x0, x1, x2, x3}};
}

// The upper 24 bits as a fraction of one.
__device__ __forceinline__ float unit(unsigned word) {
    return (float)(word >> 8) * (1.0f / 16777216.0f);
}

__device__ __forceinline__ float natural_logarithm(float u) {
    const unsigned shifted = __float_as_uint(u) - 0x3f3504f3u;
    const int exponent = (int)shifted >> 23;
    const float m = __uint_as_float((shifted & 0x007fffffu) + 0x3f3504f3u);
    const float s = (m - 1.0f) / (m + 1.0f);
    const float s2 = s * s;
    const float series = 2.0f + s2 * (2.0f / 3.0f + s2 * (2.0f / 5.0f + s2 * (2.0f / 7.0f + s2 * (2.0f / 9.0f))));
    return (float)exponent * 0.693147180559945309417f + s * series;
}

// Box and Muller's pair: ganlet-random's normal.rs has the reasons.
__device__ __forceinline__ float2 pair(unsigned radius, unsigned angle) {
    const float r = sqrtf(-2.0f * natural_logarithm(1.0f - unit(radius)));
    const float offset = unit(angle << 2) - 0.5f;
    const float x = offset * 1.57079632679489661923f;
    const float x2 = x * x;
    const float sine = x * (1.0f + x2 * (-1.0f / 6.0f + x2 * (1.0f / 120.0f + x2 * (-1.0f / 5040.0f + x2 / 362880.0f))));
    const float cosine = 1.0f + x2 * (-1.0f / 2.0f + x2 * (1.0f / 24.0f + x2 * (-1.0f / 720.0f + x2 / 40320.0f)));
    const bool odd = angle & 1u << 30, back = angle & 1u << 31;
    const float c = odd ? -sine : cosine, s = odd ? cosine : sine;
    return make_float2(r * (back ? -c : c), r * (back ? -s : s));
}

// Where this block's stream begins in `out`.
__device__ __forceinline__ float *begin(float *out, const Streams &streams) {
    return blockIdx.y ? out + streams.count[0] : out;
}

// A thread makes the four numbers of one block. Sixteen blocks are laid out side by side, word by word.
extern "C" __global__ void fill_normal(float *out, Streams streams, float deviation) {
    after_the_kernel_before();
    const unsigned block = thread_number();
    const unsigned at = block / 16 * 64 + block % 16, count = streams.count[blockIdx.y];
    if (at >= count)
        return;
    const Block words = philox(streams, streams.first[blockIdx.y] + block);
    const float2 a = pair(words.word[0], words.word[1]), b = pair(words.word[2], words.word[3]);
    const float values[4] = {a.x, a.y, b.x, b.y};
    for (unsigned i = 0; i < 4; i++)
        if (at + 16 * i < count)
            begin(out, streams)[at + 16 * i] = values[i] * deviation;
}

__device__ __forceinline__ float uniform(const Streams &streams, unsigned number) {
    const unsigned word = streams.first[blockIdx.y] + number;
    return unit(philox(streams, word / 4).word[word % 4]);
}

// Uniform in [low, low + range).
extern "C" __global__ void fill_uniform(float *out, Streams streams, float low, float range) {
    after_the_kernel_before();
    const unsigned i = thread_number();
    if (i < streams.count[blockIdx.y])
        begin(out, streams)[i] = low + range * uniform(streams, i);
}

// 0 with probability `rate`, else `kept`.
extern "C" __global__ void fill_mask(float *out, Streams streams, float rate, float kept) {
    after_the_kernel_before();
    const unsigned i = thread_number();
    if (i < streams.count[blockIdx.y])
        begin(out, streams)[i] = uniform(streams, i) < rate ? 0.f : kept;
}
