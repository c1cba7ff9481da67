// Products in f32 on tensor cores, whose factors are TF32: of 8 bits of exponent and 10 of fraction.
#pragma once

#ifdef __NVCC__
// d (16, 8) += a (16, 8) b (8, 8), by a whole warp. Lane 4 g + t has of d the rows g and g + 8 at columns 2 t and 2 t + 1; of a
// the same rows at columns t, then at t + 4; of b the rows t and t + 4 at column g. (PTX ISA, "Matrix fragments for mma.m16n8k8".)
__device__ __forceinline__ void multiply_add_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

// x as the sum of two numbers in TF32: `high` is x rounded, `low` what that left out, which the tensor core cuts off by itself.
// With x = xh + xl and y = yh + yl, xl yh + xh yl + xh yh lacks no more of x y than the rounding of an f32 product does, nearly
// (Ootomo and Yokota, "Recovering single precision accuracy from Tensor Cores", IJHPCA 2022, section 3). Of a NaN `low` is one, though rounding may
// make a number of `high`; of an infinity it is one too.
__device__ __forceinline__ void split(float x, unsigned &high, unsigned &low) {
    constexpr unsigned HALF = 1u << 12; // of the last bit that is kept
    high = (__float_as_uint(x) + HALF) & ~(2 * HALF - 1);
    low = __float_as_uint(x - __uint_as_float(high));
}
