// Optimizers and averages: all parameters of a network in one launch.

#include "layer.cuh"

constexpr int MAX_TENSORS = 16;

// Each tensor has blocks of its own: from blocks[i] on, up to blocks[i + 1].
struct Updates {
    float *parameter[MAX_TENSORS];
    const float *gradient[MAX_TENSORS];
    float *first[MAX_TENSORS];  // moment of Adam, or velocity
    float *second[MAX_TENSORS]; // moment of Adam
    unsigned count[MAX_TENSORS];
    unsigned blocks[MAX_TENSORS + 1];
};

// Where the numbers stand that change from step to step: in `table`, of `columns` for each step, from `column` on, at the clock's row.
struct Numbers {
    const float *table;
    const unsigned long long *clock; // or null: the first row
    unsigned columns;
    unsigned column;

    __device__ __forceinline__ const float *now() const { return table + (clock ? clock[1] * columns : 0) + column; }
};

struct Place {
    int tensor;
    unsigned element;
};

// Which element this thread has: `element` is that of `tensor`, or beyond its end.
__device__ __forceinline__ Place place(const Updates &updates) {
    int tensor = 0;
    while (blockIdx.x >= updates.blocks[tensor + 1])
        tensor++;
    return {tensor, (blockIdx.x - updates.blocks[tensor]) * blockDim.x + threadIdx.x};
}

// Numbers: the rate over the correction of the first moment, and the correction of the second's root.
extern "C" __global__ void adam(Updates updates, Numbers numbers, float beta1, float new1, float beta2, float new2, float epsilon) {
    const Place at = place(updates);
    if (at.element >= updates.count[at.tensor])
        return;
    const float rate = numbers.now()[0], correction = numbers.now()[1];
    const float gradient = updates.gradient[at.tensor][at.element];
    float &m = updates.first[at.tensor][at.element];
    float &v = updates.second[at.tensor][at.element];
    const float new_m = beta1 * m + new1 * gradient;
    const float new_v = beta2 * v + new2 * gradient * gradient;
    m = new_m;
    v = new_v;
    updates.parameter[at.tensor][at.element] -= rate * new_m / (sqrtf(new_v) * correction + epsilon);
}

// Numbers: the rate.
extern "C" __global__ void sgd(Updates updates, Numbers numbers, float momentum) {
    const Place at = place(updates);
    if (at.element >= updates.count[at.tensor])
        return;
    float &velocity = updates.first[at.tensor][at.element];
    const float moved = momentum * velocity + updates.gradient[at.tensor][at.element];
    velocity = moved;
    updates.parameter[at.tensor][at.element] -= numbers.now()[0] * moved;
}

// The parameters here are the averages, the gradients the parameters. Numbers: how much of what is new is taken in.
extern "C" __global__ void average(Updates updates, Numbers numbers) {
    const Place at = place(updates);
    if (at.element >= updates.count[at.tensor])
        return;
    float &mean = updates.parameter[at.tensor][at.element];
    // As a difference: two equal numbers must not drift apart by rounding.
    mean += numbers.now()[0] * (updates.gradient[at.tensor][at.element] - mean);
}

// Sets the flag of each tensor, here the parameters, that holds anything but finite numbers.
extern "C" __global__ void find_not_finite(Updates updates, unsigned *flags) {
    const Place at = place(updates);
    if (at.element < updates.count[at.tensor] && !isfinite(updates.parameter[at.tensor][at.element]))
        flags[at.tensor] = 1;
}
