// What every kernel begins with.
#pragma once

// Hopper and newer GPUs start a kernel while the one before it ends, if asked to; until this returns, what that one writes may not be
// there, and what it reads may not be written. So it stands first in each kernel. (CUDA C++ Programming Guide, "Programmatic
// Dependent Launch and Synchronization".)
__device__ __forceinline__ void after_the_kernel_before() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// The number of this thread among all of the launch.
__device__ __forceinline__ unsigned thread_number() {
    return blockIdx.x * blockDim.x + threadIdx.x;
}

// Calls what(each, i) for each number i of this thread's that is below `end`: up to EACH of them from `first` on, a block's width apart.
// What is read in one such loop and used in the next is on its way at once.
template <unsigned EACH, class What>
__device__ __forceinline__ void for_each(unsigned first, unsigned end, What what) {
#pragma unroll
    for (unsigned each = 0, i = first; each < EACH; each++, i += blockDim.x)
        if (i < end)
            what(each, i);
}
