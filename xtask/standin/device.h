// CUDA C++ as far as kernels use it, for a host compiler: the same .cu files, compiled to run on a CPU.
//
// A thread of a block is a fiber (see block.cpp). All of it runs on one thread of the host at a time, so that shared memory can be
// static and atomics plain.
#pragma once

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "kernel.h"

#ifndef STANDIN_SCAN // looking for the names of kernels, the one word must stay
#define __global__
#endif
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __constant__ static
// In a section of its own for each module: it is filled with NaN before each block. Dynamic shared memory is not there.
#define __shared__ static __attribute__((section(STANDIN_SHARED)))
// Some CUDA headers' features, in the notation of nvcc 13.0.
#define __CUDACC__ 1
#define __CUDACC_VER_MAJOR__ 13
#define __CUDACC_VER_MINOR__ 0

#define VECTORS(T, NAME, ALIGN2, ALIGN4)                                                                      \
    struct alignas(ALIGN2) NAME##2 { T x, y; };                                                               \
    struct NAME##3 { T x, y, z; };                                                                            \
    struct alignas(ALIGN4) NAME##4 { T x, y, z, w; };                                                         \
    inline NAME##2 make_##NAME##2(T x, T y) { return {x, y}; }                                                \
    inline NAME##3 make_##NAME##3(T x, T y, T z) { return {x, y, z}; }                                        \
    inline NAME##4 make_##NAME##4(T x, T y, T z, T w) { return {x, y, z, w}; }
VECTORS(float, float, 8, 16)
VECTORS(int, int, 8, 16)
VECTORS(unsigned, uint, 8, 16)
VECTORS(double, double, 16, 16)
VECTORS(unsigned char, uchar, 2, 4)
#undef VECTORS

constexpr int warpSize = 32;

// Where the running fiber is; `standin` sets them.
#define threadIdx standin::thread_index
#define blockIdx standin::block_index
#define blockDim standin::block_size
#define gridDim standin::grid_size

#define __syncthreads() standin::block_barrier(__FILE__, __LINE__)
#define __syncwarp(...) standin::warp_barrier(__LINE__, ##__VA_ARGS__)
#define __shfl_sync(...) standin::shuffle(__LINE__, standin::Shuffle::INDEX, __VA_ARGS__)
#define __shfl_up_sync(...) standin::shuffle(__LINE__, standin::Shuffle::UP, __VA_ARGS__)
#define __shfl_down_sync(...) standin::shuffle(__LINE__, standin::Shuffle::DOWN, __VA_ARGS__)
#define __shfl_xor_sync(...) standin::shuffle(__LINE__, standin::Shuffle::XOR, __VA_ARGS__)
// PTX's mma.m16n8k8 in TF32, under the name that tensor_core.cuh gives it.
#define multiply_add_tf32(...) standin::multiply_add_tf32(__LINE__, __VA_ARGS__)
#undef assert
#define assert(condition) ((condition) ? void() : standin::assertion(#condition, __LINE__))
inline void __threadfence() {}
inline void __threadfence_block() {}

template <class T, class U> T atomicExch(T *at, U value) { return std::exchange(*at, T(value)); }
template <class T, class U> T atomicAdd(T *at, U value) { return std::exchange(*at, T(*at + T(value))); }
template <class T, class U> T atomicMax(T *at, U value) { return std::exchange(*at, *at > T(value) ? *at : T(value)); }
template <class T, class U> T atomicMin(T *at, U value) { return std::exchange(*at, *at < T(value) ? *at : T(value)); }
template <class T, class U, class V> T atomicCAS(T *at, U expected, V value) {
    return std::exchange(*at, *at == T(expected) ? T(value) : *at);
}

template <class A, class B> constexpr std::common_type_t<A, B> min(A a, B b) {
    using T = std::common_type_t<A, B>;
    return T(b) < T(a) || T(a) != T(a) ? T(b) : T(a);
}
template <class A, class B> constexpr std::common_type_t<A, B> max(A a, B b) {
    using T = std::common_type_t<A, B>;
    return T(a) < T(b) || T(a) != T(a) ? T(b) : T(a);
}

template <class To, class From> To standin_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "a reinterpretation changes no size");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
inline unsigned __float_as_uint(float x) { return standin_bits<unsigned>(x); }
inline int __float_as_int(float x) { return standin_bits<int>(x); }
inline float __uint_as_float(unsigned x) { return standin_bits<float>(x); }
inline float __int_as_float(int x) { return standin_bits<float>(x); }
inline long long __double_as_longlong(double x) { return standin_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return standin_bits<double>(x); }

template <class T> T __ldg(const T *at) { return *at; }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((unsigned long long)a * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float rsqrtf(float x) { return 1.f / sqrtf(x); }
inline double rsqrt(double x) { return 1. / sqrt(x); }
inline double normcdf(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }
inline float normcdff(float x) { return float(normcdf(x)); }

namespace cuda::std {
using ::std::numeric_limits;
}

// Half precision is named by headers of candle, in what is compiled away for want of __CUDA_ARCH__: it is declared and not there.
struct __half {
    __half() = default;
    __half(float);
    operator float() const;
};
struct __nv_bfloat16 : __half { using __half::__half; };
struct __nv_fp8_e4m3 : __half {
    using __half::__half;
    int __x;
};
constexpr int __NV_E4M3 = 0;
__half __nv_cvt_fp8_to_halfraw(int, int);
float __half2float(__half);
__half __hmax_nan(__half, __half);
__half __hmin_nan(__half, __half);
unsigned short __half_as_ushort(__half);
__half __ushort_as_half(unsigned short);
