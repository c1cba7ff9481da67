// cuBLAS and cuRAND: what candle calls of them.

#include "driver.h"

#include <stdint.h>
#include <string.h>
#include <vector>

using namespace standin;

namespace {

enum { SUCCESS = 0, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };

struct Blas {
    void *stream = nullptr;
    int pointer_mode = 0;
};

// C = alpha op(A) op(B) + beta C, all of them column after column; 0 stands for an operand as it is.
struct Product {
    int transposed_a, transposed_b, m, n, k;
    float alpha, beta;
    const float *a, *b;
    float *c;
    int lda, ldb, ldc;
    long long stride_a, stride_b, stride_c;
    int batch;

    void one(const float *a_at, const float *b_at, float *c_at) const {
        const auto rows = size_t(m), columns = size_t(n), depth = size_t(k);
        std::vector<float> op_a(rows * depth), sums(rows);
        for (size_t p = 0; p < depth; p++)
            for (size_t i = 0; i < rows; i++)
                op_a[p * rows + i] = transposed_a ? a_at[i * size_t(lda) + p] : a_at[p * size_t(lda) + i];
        for (size_t j = 0; j < columns; j++) {
            sums.assign(rows, 0.f);
            for (size_t p = 0; p < depth; p++) {
                const float factor = transposed_b ? b_at[p * size_t(ldb) + j] : b_at[j * size_t(ldb) + p];
                for (size_t i = 0; i < rows; i++)
                    sums[i] += op_a[p * rows + i] * factor;
            }
            float *column = c_at + j * size_t(ldc);
            // With a beta of 0 C is not read.
            for (size_t i = 0; i < rows; i++)
                column[i] = alpha * sums[i] + (beta == 0.f ? 0.f : beta * column[i]);
        }
    }

    CUresult run() const {
        const auto reach = [](int rows, int columns, int ld) {
            return rows && columns ? 4 * (size_t(ld) * size_t(columns - 1) + size_t(rows)) : 0;
        };
        for (int i = 0; i < batch; i++) {
            const float *a_at = a + i * stride_a, *b_at = b + i * stride_b;
            float *c_at = c + i * stride_c;
            if (CUresult bad = check_range("cublasSgemm, A", a_at, transposed_a ? reach(k, m, lda) : reach(m, k, lda)))
                return bad;
            if (CUresult bad = check_range("cublasSgemm, B", b_at, transposed_b ? reach(n, k, ldb) : reach(k, n, ldb)))
                return bad;
            if (CUresult bad = check_range("cublasSgemm, C", c_at, reach(m, n, ldc)))
                return bad;
            one(a_at, b_at, c_at);
        }
        return CUDA_SUCCESS;
    }
};

int product(Blas *blas, const Product &product) {
    const Product &p = product;
    const bool good = p.m >= 0 && p.n >= 0 && p.k >= 0 && p.batch >= 0 && p.lda >= (p.transposed_a ? p.k : p.m) && p.lda >= 1 &&
                      p.ldb >= (p.transposed_b ? p.n : p.k) && p.ldb >= 1 && p.ldc >= p.m && p.ldc >= 1;
    if (!good) {
        report(CUDA_ERROR_INVALID_VALUE, "cublasSgemm: sizes that do not go together");
        return INVALID_VALUE;
    }
    Lock lock(everything);
    return enqueue(stream_of(blas->stream), [product] { return product.run(); }) ? EXECUTION_FAILED : SUCCESS;
}

} // namespace

API int cublasCreate_v2(Blas **blas) {
    Lock lock(everything);
    if (allowed_in_capture("cublasCreate"))
        return EXECUTION_FAILED;
    *blas = new Blas;
    return SUCCESS;
}
API int cublasDestroy_v2(Blas *blas) { delete blas; return SUCCESS; }
API int cublasSetStream_v2(Blas *blas, void *stream) { blas->stream = stream; return SUCCESS; }
API int cublasSetMathMode(Blas *, int) { return SUCCESS; }
API int cublasGetPointerMode_v2(Blas *blas, int *mode) { *mode = blas->pointer_mode; return SUCCESS; }
API int cublasSetPointerMode_v2(Blas *blas, int mode) {
    blas->pointer_mode = mode;
    return mode == 0 ? SUCCESS : NOT_SUPPORTED;
}
API int cublasSetWorkspace_v2(Blas *, void *, size_t) { return SUCCESS; }
API int cublasSgemmStridedBatched(Blas *blas, int transposed_a, int transposed_b, int m, int n, int k, const float *alpha, const float *a,
                                  int lda, long long stride_a, const float *b, int ldb, long long stride_b, const float *beta, float *c,
                                  int ldc, long long stride_c, int batch) {
    return product(blas, {transposed_a, transposed_b, m, n, k, *alpha, *beta, a, b, c, lda, ldb, ldc, stride_a, stride_b, stride_c, batch});
}
API int cublasSgemm_v2(Blas *blas, int transposed_a, int transposed_b, int m, int n, int k, const float *alpha, const float *a, int lda,
                       const float *b, int ldb, const float *beta, float *c, int ldc) {
    return cublasSgemmStridedBatched(blas, transposed_a, transposed_b, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1);
}
API int cublasGemmStridedBatchedEx(Blas *blas, int transposed_a, int transposed_b, int m, int n, int k, const void *alpha, const void *a,
                                   int type_a, int lda, long long stride_a, const void *b, int type_b, int ldb, long long stride_b,
                                   const void *beta, void *c, int type_c, int ldc, long long stride_c, int batch, int, int) {
    if (type_a || type_b || type_c) {
        report(CUDA_ERROR_NOT_SUPPORTED, "cublasGemm of other numbers than f32");
        return NOT_SUPPORTED;
    }
    return cublasSgemmStridedBatched(blas, transposed_a, transposed_b, m, n, k, static_cast<const float *>(alpha),
                                     static_cast<const float *>(a), lda, stride_a, static_cast<const float *>(b), ldb, stride_b,
                                     static_cast<const float *>(beta), static_cast<float *>(c), ldc, stride_c, batch);
}
API int cublasGemmEx(Blas *blas, int transposed_a, int transposed_b, int m, int n, int k, const void *alpha, const void *a, int type_a,
                     int lda, const void *b, int type_b, int ldb, const void *beta, void *c, int type_c, int ldc, int compute, int algorithm) {
    return cublasGemmStridedBatchedEx(blas, transposed_a, transposed_b, m, n, k, alpha, a, type_a, lda, 0, b, type_b, ldb, 0, beta, c,
                                      type_c, ldc, 0, 1, compute, algorithm);
}

// candle makes a generator for each device; nothing here draws from it.
API int curandCreateGenerator(void **generator, int) { *generator = new char; return 0; }
API int curandDestroyGenerator(void *generator) { delete static_cast<char *>(generator); return 0; }
API int curandSetStream(void *, void *) { return 0; }
API int curandSetPseudoRandomGeneratorSeed(void *, unsigned long long) { return 0; }
