//! Products of matrices, with what a layer does to the result: which kernel makes them, our own or a library's.

use candle_core::cuda::cudarc::cublas::{result::gemm_ex, sys};
use candle_core::cuda::cudarc::driver::DeviceRepr;
use candle_core::cuda::{CudaError, gemm_reduced_precision_f32};
use candle_core::{CudaDevice, Error, Result, Tensor};

use super::elements::code;
use super::launch::{Spread, THREADS, address, count, device, launch, optional};
use crate::joint::Below;

const NAME: &str = "product";

/// From so many multiplications on, a product is the library's: its tiles fill the GPU, and are large enough to read each factor seldom.
const LARGE: usize = 1 << 28;

/// From so many elements on, a matrix that is multiplied with a vector has a kernel of its own, which reads it as fast as memory gives it.
const LONG: usize = 1 << 22;

/// How two matrices, row after row, are multiplied to one of `m` rows and `n` columns.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Form {
    /// `(m, k) (n, k)ᵀ`
    Nt,
    /// `(m, k) (k, n)`
    Nn,
    /// `(k, m)ᵀ (k, n)`
    Tn,
}

/// As in `epilogue.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Epilogue {
    pub(super) bias: u64,
    pub(super) mask: u64,
    pub(super) y: u64,
    pub(super) activation: i32,
    pub(super) slope: f32,
    pub(super) accumulate: i32,
    /// Where the compiler would leave bytes that nobody has written: they might look like an address.
    pub(super) padding: u32,
    pub(super) sums: u64,
}

// SAFETY: numbers and addresses, laid out as the kernels' struct.
unsafe impl DeviceRepr for Epilogue {}

impl Epilogue {
    pub(super) fn below(below: Below) -> Result<Self> {
        let (activation, slope) = code(below.activation);
        let (mask, y) = (optional(NAME, below.mask)?, address::<f32>(NAME, below.y)?);
        Ok(Self { mask, y, activation, slope, ..Self::default() })
    }
}

/// The part of a result that a block makes, and how many warps share out the sum.
#[derive(Clone, Copy)]
enum Tile {
    /// 16 x 16, by eight warps.
    Small,
    /// 16 x 32, by eight warps.
    Middle,
    /// 16 x 32, by four warps.
    Lean,
    /// 32 x 32, by four warps: for the form `Tn` alone, whose sums are short.
    Large,
}

impl Tile {
    /// For a result of these rows and columns. Where smaller tiles leave no multiprocessor of a large GPU (an H200 has 132) with more than
    /// one, they take less time; where each has several, it needs no more warps to have enough to do. Measured on an H200.
    fn new(form: Form, (m, n): (usize, usize)) -> Self {
        match Self::Middle.count((m, n)) {
            _ if form == Form::Tn => Self::Large,
            _ if n <= 16 => Self::Small,
            ..=66 => Self::Small,
            67..=264 => Self::Middle,
            _ => Self::Lean,
        }
    }

    /// Rows, columns and threads.
    fn size(self) -> (usize, usize, u32) {
        match self {
            Self::Small => (16, 16, 256),
            Self::Middle => (16, 32, 256),
            Self::Lean => (16, 32, 128),
            Self::Large => (32, 32, 128),
        }
    }

    /// How a result is cut, down and across.
    fn grid(self, (m, n): (usize, usize)) -> (usize, usize) {
        let (rows, columns, _) = self.size();
        (m.div_ceil(rows), n.div_ceil(columns))
    }

    fn count(self, size: (usize, usize)) -> usize {
        let (down, across) = self.grid(size);
        down * across
    }

    /// A block for each of so many.
    fn spread(self, blocks: (u32, u32)) -> Spread {
        Spread { blocks, threads: (self.size().2, 1) }
    }
}

/// Whether a product is left to the library, or to a kernel for a long vector: in any case not one of [`products`].
pub(super) fn is_large(form: Form, [m, n, k]: [usize; 3]) -> bool {
    m.saturating_mul(n).saturating_mul(k) >= LARGE || is_long(form, [m, n, k])
}

/// Whether a long vector is multiplied with a matrix.
fn is_long(form: Form, [m, n, k]: [usize; 3]) -> bool {
    form == Form::Tn && m == 1 && n.saturating_mul(k) >= LONG
}

/// Makes `c`, of `a` and `b`.
pub(super) fn product(form: Form, a: &Tensor, b: &Tensor, c: &Tensor, epilogue: Epilogue) -> Result<()> {
    let (m, n) = c.dims2()?;
    let k = match form {
        Form::Nt | Form::Nn => a.dim(1)?,
        Form::Tn => a.dim(0)?,
    };
    let gpu = &device(c)?;
    let [a, b, c] = [address::<f32>(NAME, a)?, address::<f32>(NAME, b)?, address::<f32>(NAME, c)?];
    let [rows, columns, depth]: [u32; 3] = [count(NAME, m)?, count(NAME, n)?, count(NAME, k)?];
    match form {
        Form::Nt if n == 1 => {
            let threads: u32 = count(NAME, m * 32)?;
            let spread = Spread { blocks: (threads.div_ceil(THREADS), 1), threads: (THREADS, 1) };
            launch!(gpu, Vectors, "matrix_vector", spread, [a, b, c, rows, depth, epilogue]);
        }
        Form::Nn if k == 1 => {
            launch!(gpu, Vectors, "outer", by_rows(m, n)?, [a, b, c, rows, columns, epilogue]);
        }
        Form::Tn if is_long(form, [m, n, k]) && epilogue.accumulate == 0 && epilogue.sums != 0 => {
            // The last block makes the sum.
            let spread = Spread { blocks: (columns.div_ceil(32) + 1, 1), threads: (32, 32) };
            launch!(gpu, Vectors, "vector_matrix", spread, [a, b, c, epilogue.sums, depth, columns]);
        }
        _ if is_large(form, [m, n, k]) => by_library(gpu, form, [a, b, c], [m, n, k], epilogue)?,
        _ => {
            let tile = Tile::new(form, (m, n));
            let name = match (form, tile) {
                (Form::Nt, Tile::Small) => "product_nt_small",
                (Form::Nt, Tile::Middle) => "product_nt_middle",
                (Form::Nt, _) => "product_nt_lean",
                (Form::Nn, Tile::Small) => "product_nn_small",
                (Form::Nn, Tile::Middle) => "product_nn_middle",
                (Form::Nn, _) => "product_nn_lean",
                (Form::Tn, _) => "product_tn",
            };
            let (down, across) = tile.grid((m, n));
            let spread = tile.spread((count(NAME, down)?, count(NAME, across)?));
            launch!(gpu, Product, name, spread, [a, b, c, rows, columns, depth, epilogue]);
        }
    }
    Ok(())
}

/// For a kernel whose blocks go along the rows, four elements a thread, and share the rows out.
fn by_rows(m: usize, n: usize) -> Result<Spread> {
    /// Enough to fill any GPU; each then has several rows.
    const MOST: usize = 2048;
    // The elements too are counted in 32 bits.
    count::<u32>(NAME, m * n)?;
    let across = count(NAME, n.div_ceil(THREADS as usize * 4))?;
    Ok(Spread { blocks: (across, count(NAME, m.min(MOST))?), threads: (THREADS, 1) })
}

/// A product of [`products`]: `weight = preᵀ x`, and `bias` the sums of the columns of `pre`.
pub(super) struct Gradient<'a> {
    pub(super) pre: &'a Tensor,
    pub(super) x: &'a Tensor,
    pub(super) weight: Tensor,
    pub(super) bias: Tensor,
}

/// How many products one launch takes.
const MAX_PRODUCTS: usize = 8;

/// As in `product.cu`.
#[repr(C)]
#[derive(Default)]
struct Products {
    a: [u64; MAX_PRODUCTS],
    b: [u64; MAX_PRODUCTS],
    c: [u64; MAX_PRODUCTS],
    sums: [u64; MAX_PRODUCTS],
    m: [i32; MAX_PRODUCTS],
    n: [i32; MAX_PRODUCTS],
    k: [i32; MAX_PRODUCTS],
    tiles: [u32; MAX_PRODUCTS + 1],
    padding: u32,
}

// SAFETY: numbers and addresses, laid out as the kernels' struct.
unsafe impl DeviceRepr for Products {}

/// Several small products, in as few launches as there can be.
pub(super) fn products(gradients: &[Gradient]) -> Result<()> {
    for gradients in gradients.chunks(MAX_PRODUCTS) {
        let sizes = gradients.iter().map(|g| g.weight.dims2()).collect::<Result<Vec<_>>>()?;
        let tile = Tile::Large;
        let mut lot = Products::default();
        let mut blocks = 0;
        for (at, (Gradient { pre, x, weight, bias }, &(m, n))) in gradients.iter().zip(&sizes).enumerate() {
            (lot.a[at], lot.b[at]) = (address::<f32>(NAME, pre)?, address::<f32>(NAME, x)?);
            (lot.c[at], lot.sums[at]) = (address::<f32>(NAME, weight)?, address::<f32>(NAME, bias)?);
            (lot.m[at], lot.n[at], lot.k[at]) = (count(NAME, m)?, count(NAME, n)?, count(NAME, x.dim(0)?)?);
            lot.tiles[at] = blocks;
            blocks += count::<u32>(NAME, tile.count((m, n)))?;
        }
        lot.tiles[gradients.len()] = blocks;
        let spread = tile.spread((blocks, 1));
        launch!(&device(gradients[0].x)?, Product, "products_tn", spread, [lot]);
    }
    Ok(())
}

/// By cuBLAS, and what is done with the result in a second pass over it.
fn by_library(
    gpu: &CudaDevice,
    form: Form,
    [a, b, c]: [u64; 3],
    [m, n, k]: [usize; 3],
    epilogue: Epilogue,
) -> Result<()> {
    use sys::cublasOperation_t::{CUBLAS_OP_N as PLAIN, CUBLAS_OP_T as TRANSPOSED};
    let [rows, columns, depth]: [i32; 3] = [count(NAME, m)?, count(NAME, n)?, count(NAME, k)?];
    // cuBLAS has matrices column after column: to it, each of ours is its transpose, and it is asked for Cᵀ = op(B)ᵀ op(A)ᵀ.
    let (b_operation, b_leading, a_operation, a_leading) = match form {
        Form::Nt => (TRANSPOSED, depth, PLAIN, depth),
        Form::Nn => (PLAIN, columns, PLAIN, depth),
        Form::Tn => (PLAIN, columns, TRANSPOSED, rows),
    };
    let precision = match gemm_reduced_precision_f32() {
        true => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
        false => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
    };
    let float = sys::cudaDataType::CUDA_R_32F;
    let (alpha, beta) = (1f32, if epilogue.accumulate != 0 { 1f32 } else { 0. });
    // SAFETY: the addresses are those of matrices of these sizes, and alpha and beta are read before this returns.
    unsafe {
        gemm_ex(
            *gpu.cublas_handle().handle(),
            b_operation,
            a_operation,
            columns,
            rows,
            depth,
            (&raw const alpha).cast(),
            b as *const _,
            float,
            b_leading,
            a as *const _,
            float,
            a_leading,
            (&raw const beta).cast(),
            c as *mut _,
            float,
            columns,
            precision,
            sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
        )
    }
    .map_err(|error| Error::from(CudaError::from(error)))?;
    let [rows, columns, depth] = [rows, columns, depth].map(i32::unsigned_abs);
    if epilogue.bias != 0 || epilogue.mask != 0 || epilogue.y != 0 {
        launch!(gpu, Vectors, "finish", by_rows(m, n)?, [c, rows, columns, epilogue]);
    }
    if epilogue.sums != 0 {
        let spread = Spread { blocks: (rows.div_ceil(32), 1), threads: (32, 32) };
        launch!(gpu, Vectors, "column_sums", spread, [a, epilogue.sums, depth, rows]);
    }
    Ok(())
}
