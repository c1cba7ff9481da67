// What is done element by element, and the losses.

#include "launch.cuh"
#include "layer.cuh"

// Where a training stands: the number of the step, and which of the epoch's it is. It moves on the GPU, so that steps can be
// replayed that nobody tells anything.
struct Clock {
    unsigned long long step;
    unsigned long long row;
};

// To the next step and its row; after the last of the `rows` to the first.
extern "C" __global__ void tick(Clock *clock, unsigned rows) {
    after_the_kernel_before();
    clock->step += 1;
    clock->row = (clock->row + 1) % rows;
}

// gradient * mask * derivative(y), a null mask standing for 1.
extern "C" __global__ void times_slope(const float *gradient, const float *mask, const float *y, float *out, unsigned count,
                                       int activation, float slope) {
    after_the_kernel_before();
    const unsigned i = thread_number();
    if (i >= count)
        return;
    const float masked = mask ? gradient[i] * mask[i] : gradient[i];
    out[i] = masked * derivative(y[i], activation, slope);
}

extern "C" __global__ void multiply(const float *a, const float *b, float *out, unsigned count) {
    after_the_kernel_before();
    const unsigned i = thread_number();
    if (i < count)
        out[i] = a[i] * b[i];
}

// Which of `pieces` neighbours is the largest: the first of several; a NaN wins. One thread for each group of them.
extern "C" __global__ void maxout_winners(const float *z, unsigned char *winners, unsigned count, unsigned pieces) {
    after_the_kernel_before();
    const unsigned i = thread_number();
    if (i >= count)
        return;
    const float *group = z + (unsigned long long)i * pieces;
    float largest = group[0];
    unsigned winner = 0;
    for (unsigned piece = 1; piece < pieces; piece++)
        if (group[piece] > largest || (isnan(group[piece]) && !isnan(largest))) {
            largest = group[piece];
            winner = piece;
        }
    winners[i] = winner;
}

// What stands where the winner does.
extern "C" __global__ void maxout_select(const float *z, const unsigned char *winners, float *out, unsigned count,
                                         unsigned pieces) {
    after_the_kernel_before();
    const unsigned i = thread_number();
    if (i < count)
        out[i] = z[(unsigned long long)i * pieces + winners[i]];
}

// y where the winner stands and 0 elsewhere: `count` numbers of z.
extern "C" __global__ void maxout_spread(const float *y, const unsigned char *winners, float *out, unsigned count,
                                         unsigned pieces) {
    after_the_kernel_before();
    const unsigned i = thread_number();
    if (i < count)
        out[i] = winners[i / pieces] == i % pieces ? y[i / pieces] : 0.f;
}

// x (count / width, width) less `center` (width,).
extern "C" __global__ void center(const float *x, const float *center, float *out, unsigned count, unsigned width) {
    after_the_kernel_before();
    const unsigned i = thread_number();
    if (i < count)
        out[i] = x[i] - center[i % width];
}

// The rows `indices` of `pixels` (rows, width), from [0, 255] to [-1, 1]; with a clock those of its step. A row that there is
// not is NaN, since a kernel cannot fail.
extern "C" __global__ void gather_normalize(const unsigned char *pixels, const unsigned *indices, const Clock *clock, float *out,
                                            unsigned rows, unsigned width, unsigned batch) {
    after_the_kernel_before();
    const unsigned i = thread_number();
    if (i >= batch * width)
        return;
    const unsigned index = indices[(clock ? clock->row * batch : 0) + i / width];
    out[i] = index < rows ? pixels[(unsigned long long)index * width + i % width] * (2.f / 255.f) - 1.f
                          : __uint_as_float(0x7fc00000);
}

// The labels of the clock's step as vectors of `classes` numbers, 1 at the label and else 0.
extern "C" __global__ void gather_one_hot(const unsigned char *labels, const unsigned *indices, const Clock *clock, float *out,
                                          unsigned rows, unsigned classes, unsigned batch) {
    after_the_kernel_before();
    const unsigned i = thread_number();
    if (i >= batch * classes)
        return;
    const unsigned index = indices[clock->row * batch + i / classes];
    out[i] = index < rows && labels[index] == i % classes ? 1.f : 0.f;
}

// Several lots of numbers one behind the other; `ends` are the places after each of them.
constexpr int LOTS = 4;
struct Lots {
    const float *from[LOTS];
    unsigned ends[LOTS];
};

// Four numbers for each thread.
extern "C" __global__ void join(Lots lots, float *out, unsigned count) {
    after_the_kernel_before();
    constexpr unsigned EACH = 4;
    const unsigned first = blockIdx.x * blockDim.x * EACH + threadIdx.x;
    float values[EACH];
    for_each<EACH>(first, count, [&](unsigned each, unsigned i) {
        const float *from = lots.from[0];
        unsigned before = 0;
#pragma unroll
        for (int lot = 1; lot < LOTS; lot++)
            if (i >= lots.ends[lot - 1]) {
                from = lots.from[lot];
                before = lots.ends[lot - 1];
            }
        values[each] = from[i - before];
    });
    for_each<EACH>(first, count, [&](unsigned each, unsigned i) { out[i] = values[each]; });
}

// The summand of a loss that one logit makes, and its derivative: ops::LossTerm.
enum Term { CROSS_ENTROPY, HALF_SQUARE, HINGE, LINEAR };

__device__ __forceinline__ double2 term(double l, int kind, double target) {
    switch (kind) {
    case CROSS_ENTROPY: {
        // sigmoid(|l|) and sigmoid(-|l|) of one exponential, neither by cancellation.
        const double small = exp(-fabs(l)), high = 1. / (1. + small), low = small / (1. + small);
        const double positive = l > 0. ? l : 0., negative = l > 0. ? 0. : -l;
        const double up = l > 0. ? high : low, down = l > 0. ? low : high;
        return make_double2((1. - target) * positive + target * negative + log1p(small),
                            (1. - target) * up - target * down);
    }
    case HALF_SQUARE: return make_double2(0.5 * (l - target) * (l - target), l - target);
    case HINGE: {
        const double missing = 1. - target * l;
        return make_double2(missing > 0. ? missing : (missing != missing ? missing : 0.), missing > 0. ? -target : 0.);
    }
    default: return make_double2(target * l, target);
    }
}

constexpr int MOST_THREADS = 1024;

// The mean over the first `first` logits of one term, plus that over the others of another, and the gradient; in one block, of a power of two of threads.
extern "C" __global__ void mean_loss(const float *logits, float *value, float *gradient, int first, int count, int kind_first,
                                     float target_first, float weight_first, int kind_other, float target_other,
                                     float weight_other) {
    after_the_kernel_before();
    __shared__ double partial[MOST_THREADS];
    const double scale_first = (double)weight_first / first;
    const double scale_other = count > first ? (double)weight_other / (count - first) : 0.;
    double sum = 0.;
    for (int i = threadIdx.x; i < count; i += blockDim.x) {
        const bool is_first = i < first;
        const double scale = is_first ? scale_first : scale_other;
        const double2 of = term(logits[i], is_first ? kind_first : kind_other, is_first ? target_first : target_other);
        sum += scale * of.x;
        gradient[i] = (float)(scale * of.y);
    }
    partial[threadIdx.x] = sum;
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            partial[threadIdx.x] += partial[threadIdx.x + half];
    }
    if (threadIdx.x == 0)
        *value = (float)partial[0];
}
