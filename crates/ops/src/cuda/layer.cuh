// What a layer applies to its outputs, and its derivative: crate::Activation.
#pragma once

enum Activation { IDENTITY, LEAKY_RELU, TANH, SIGMOID };

__device__ __forceinline__ float activated(float x, int activation, float slope) {
    switch (activation) {
    case LEAKY_RELU: return x > 0.f ? x : slope * x;
    case TANH: return tanhf(x);
    case SIGMOID: return 1.f / (1.f + expf(-x));
    default: return x;
    }
}

// The derivative, told from the result `y`.
__device__ __forceinline__ float derivative(float y, int activation, float slope) {
    switch (activation) {
    case LEAKY_RELU: return y > 0.f ? 1.f : slope;
    case TANH: return 1.f - y * y;
    case SIGMOID: return y * (1.f - y);
    default: return 1.f;
    }
}
