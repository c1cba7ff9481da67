// Optimizers and averages: all parameters of a network in one launch.

#include "launch.cuh"

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

constexpr unsigned EACH = 2; // elements of a thread

// The tensor of this block.
__device__ __forceinline__ int tensor_of_block(const Updates &updates) {
    int tensor = 0;
    while (blockIdx.x >= updates.blocks[tensor + 1])
        tensor++;
    return tensor;
}

// Which element of its tensor this thread has, the first of its own.
__device__ __forceinline__ unsigned first_element(const Updates &updates, int tensor) {
    return (blockIdx.x - updates.blocks[tensor]) * blockDim.x * EACH + threadIdx.x;
}

// Gives each element of this thread its new numbers: `rule` changes the parameter and its state, and is told the gradient.
template <class Rule>
__device__ __forceinline__ void update(const Updates &updates, Rule rule) {
    const int tensor = tensor_of_block(updates);
    const unsigned first = first_element(updates, tensor), count = updates.count[tensor];
    float *const parameter = updates.parameter[tensor], *const m = updates.first[tensor], *const v = updates.second[tensor];
    const float *const gradient = updates.gradient[tensor];
    float parameters[EACH], gradients[EACH], ms[EACH] = {}, vs[EACH] = {};
    for_each<EACH>(first, count, [&](unsigned each, unsigned i) {
        parameters[each] = parameter[i];
        gradients[each] = gradient[i];
        if (m)
            ms[each] = m[i];
        if (v)
            vs[each] = v[i];
    });
    for_each<EACH>(first, count, [&](unsigned each, unsigned i) {
        rule(parameters[each], gradients[each], ms[each], vs[each]);
        parameter[i] = parameters[each];
        if (m)
            m[i] = ms[each];
        if (v)
            v[i] = vs[each];
    });
}

// Numbers: the rate over the correction of the first moment, and the correction of the second's root.
extern "C" __global__ void adam(Updates updates, Numbers numbers, float beta1, float new1, float beta2, float new2, float epsilon) {
    after_the_kernel_before();
    const float rate = numbers.now()[0], correction = numbers.now()[1];
    update(updates, [=](float &parameter, float gradient, float &m, float &v) {
        m = beta1 * m + new1 * gradient;
        v = beta2 * v + new2 * gradient * gradient;
        parameter -= rate * m / (sqrtf(v) * correction + epsilon);
    });
}

// Numbers: the rate.
extern "C" __global__ void sgd(Updates updates, Numbers numbers, float momentum) {
    after_the_kernel_before();
    const float rate = numbers.now()[0];
    update(updates, [=](float &parameter, float gradient, float &velocity, float &) {
        velocity = momentum * velocity + gradient;
        parameter -= rate * velocity;
    });
}

// The parameters here are the averages, the gradients the parameters. Numbers: how much of what is new is taken in.
extern "C" __global__ void average(Updates updates, Numbers numbers) {
    after_the_kernel_before();
    const float share = numbers.now()[0];
    update(updates, [=](float &mean, float parameter, float &, float &) {
        // As a difference: two equal numbers must not drift apart by rounding.
        mean += share * (parameter - mean);
    });
}

// Sets the flag of each tensor, here the parameters, that holds anything but finite numbers.
extern "C" __global__ void find_not_finite(Updates updates, unsigned *flags) {
    after_the_kernel_before();
    const int tensor = tensor_of_block(updates);
    for_each<EACH>(first_element(updates, tensor), updates.count[tensor], [&](unsigned, unsigned i) {
        if (!isfinite(updates.parameter[tensor][i]))
            flags[tensor] = 1;
    });
}
