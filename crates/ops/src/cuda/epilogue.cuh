// What becomes of the sums of a product on their way to C.
#pragma once

#include "layer.cuh"

// A null pointer stands for "not".
struct Epilogue {
    const float *bias;   // (n,): added, and the activation applied
    const float *mask;   // (m, n): multiplied
    const float *y;      // (m, n): what an activation made, by whose derivative is multiplied
    int activation;
    float slope;
    int accumulate;      // whether C is added to
    float *sums;         // (m,), of `tn` alone: the sums of the columns of A
};

// What the epilogue of one element reads. Asked for before the sum is made, it is there when the sum is.
struct Factors {
    float bias = 0.f, mask = 1.f, y = 0.f;
};

// Of the element `at` of C, in `column`.
__device__ __forceinline__ Factors factors(const Epilogue &epilogue, unsigned at, unsigned column) {
    Factors factors;
    if (epilogue.bias)
        factors.bias = epilogue.bias[column];
    if (epilogue.mask)
        factors.mask = epilogue.mask[at];
    if (epilogue.y)
        factors.y = epilogue.y[at];
    return factors;
}

__device__ __forceinline__ float finished(float sum, const Factors &factors, const Epilogue &epilogue) {
    if (epilogue.bias)
        sum = activated(sum + factors.bias, epilogue.activation, epilogue.slope);
    if (epilogue.mask)
        sum *= factors.mask;
    if (epilogue.y)
        sum *= derivative(factors.y, epilogue.activation, epilogue.slope);
    return sum;
}
