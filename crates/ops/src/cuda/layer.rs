//! One fully connected layer: see [`crate::layer`], whose form on a CPU this follows.

use candle_core::cuda::cudarc::cublas::{result::gemm_ex, sys};
use candle_core::cuda::cudarc::driver::DeviceRepr;
use candle_core::cuda::{CudaError, gemm_reduced_precision_f32};
use candle_core::{CudaDevice, Error, Result, Tensor};

use super::elements::code;
use super::launch::{Spread, address, count, device, launch, one_each, optional};
use super::workspace::output;
use crate::joint::Below;
use crate::{Activation, LayerGradients};

const NAME: &str = "linear";

/// From so many multiplications on, a product is the library's: they fill the GPU, and what it knows about tensor cores counts for more than
/// what a fused kernel saves. (A guess; below it are all products of MNIST-sized networks at batches of hundreds.)
const LARGE: usize = 1 << 28;

/// How many tiles there should be at least: about as many as a large GPU has multiprocessors (an H100 has 132).
const ENOUGH_TILES: usize = 132;

/// How two matrices, row after row, are multiplied to one of `m` rows and `n` columns.
#[derive(Clone, Copy)]
enum Form {
    /// `(m, k) (n, k)ᵀ`
    Nt,
    /// `(m, k) (k, n)`
    Nn,
    /// `(k, m)ᵀ (k, n)`
    Tn,
}

/// As in `product.cu`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Epilogue {
    bias: u64,
    mask: u64,
    y: u64,
    activation: i32,
    slope: f32,
    accumulate: i32,
    /// Where the compiler would leave bytes that nobody has written: they might look like an address.
    padding: u32,
    sums: u64,
}

// SAFETY: numbers and addresses, laid out as the kernels' struct.
unsafe impl DeviceRepr for Epilogue {}

impl Epilogue {
    fn below(below: Below) -> Result<Self> {
        let (activation, slope) = code(below.activation);
        let (mask, y) = (optional(NAME, below.mask)?, address::<f32>(NAME, below.y)?);
        Ok(Self { mask, y, activation, slope, ..Self::default() })
    }
}

/// `activation(x Wᵀ + b)`
pub(crate) fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    let out = output((x.dim(0)?, weight.dim(0)?), x)?;
    let (activation, slope) = code(activation);
    let epilogue = Epilogue { bias: address::<f32>(NAME, bias)?, activation, slope, ..Epilogue::default() };
    product(Form::Nt, x, weight, &out, epilogue)?;
    Ok(out)
}

/// `pre W`, times the slope below.
pub(crate) fn input_gradient(pre: &Tensor, weight: &Tensor, below: Below) -> Result<Tensor> {
    let out = output(below.y.shape(), pre)?;
    product(Form::Nn, pre, weight, &out, Epilogue::below(below)?)?;
    Ok(out)
}

/// `change Wᵀ`, times the slope above.
pub(crate) fn tangent(change: &Tensor, weight: &Tensor, above: Below) -> Result<Tensor> {
    let out = output(above.y.shape(), change)?;
    product(Form::Nt, change, weight, &out, Epilogue::below(above)?)?;
    Ok(out)
}

/// `preᵀ x`, and the sums of the columns of `pre`, for several layers' `(x, pre)`: together in one launch where they are small.
pub(crate) fn parameter_gradients(layers: &[(&Tensor, &Tensor)]) -> Result<Vec<LayerGradients>> {
    let mut all = Vec::with_capacity(layers.len());
    let mut together = Vec::new();
    for (x, pre) in layers {
        let ((rows, inputs), (_, outputs)) = (x.dims2()?, pre.dims2()?);
        let gradients = LayerGradients { weight: output((outputs, inputs), x)?, bias: output(outputs, x)? };
        match is_large(outputs, inputs, rows) {
            true => {
                let sums = address::<f32>(NAME, &gradients.bias)?;
                product(Form::Tn, pre, x, &gradients.weight, Epilogue { sums, ..Epilogue::default() })?;
            }
            false => together.push((*x, *pre, gradients.clone())),
        }
        all.push(gradients);
    }
    together.chunks(MAX_PRODUCTS).try_for_each(products)?;
    Ok(all)
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

fn products(layers: &[(&Tensor, &Tensor, LayerGradients)]) -> Result<()> {
    let Some((first, ..)) = layers.first() else { return Ok(()) };
    let tiles = |rows| {
        let of = |(.., g): &(&Tensor, &Tensor, LayerGradients)| Ok(tiles(g.weight.dims2()?, rows));
        layers.iter().map(of).collect::<Result<Vec<_>>>()
    };
    let (name, tiles) = match tiles(32)? {
        tiles if tiles.iter().sum::<usize>() >= ENOUGH_TILES => ("products_tn_32", tiles),
        _ => ("products_tn_16", tiles(16)?),
    };
    let mut lot = Products::default();
    let mut blocks = 0;
    for (at, ((x, pre, gradients), tiles)) in layers.iter().zip(tiles).enumerate() {
        let ((rows, inputs), (_, outputs)) = (x.dims2()?, pre.dims2()?);
        (lot.a[at], lot.b[at]) = (address::<f32>(NAME, pre)?, address::<f32>(NAME, x)?);
        lot.c[at] = address::<f32>(NAME, &gradients.weight)?;
        lot.sums[at] = address::<f32>(NAME, &gradients.bias)?;
        (lot.m[at], lot.n[at], lot.k[at]) = (count(NAME, outputs)?, count(NAME, inputs)?, count(NAME, rows)?);
        lot.tiles[at] = blocks;
        blocks += count::<u32>(NAME, tiles)?;
    }
    lot.tiles[layers.len()] = blocks;
    let spread = Spread { blocks: (blocks, 1), threads: (256, 1) };
    launch!(&device(first)?, Product, name, spread, [lot]);
    Ok(())
}

/// Tiles of 32 columns and so many rows that a matrix is cut into.
fn tiles((m, n): (usize, usize), rows: usize) -> usize {
    m.div_ceil(rows) * n.div_ceil(32)
}

fn is_large(m: usize, n: usize, k: usize) -> bool {
    m.saturating_mul(n).saturating_mul(k) >= LARGE
}

/// Adds `preᵀ change` to `gradient`.
pub(crate) fn add_product(gradient: &Tensor, pre: &Tensor, change: &Tensor) -> Result<()> {
    product(Form::Tn, pre, change, gradient, Epilogue { accumulate: 1, ..Epilogue::default() })
}

fn product(form: Form, a: &Tensor, b: &Tensor, c: &Tensor, epilogue: Epilogue) -> Result<()> {
    let (m, n) = c.dims2()?;
    let k = match form {
        Form::Nt | Form::Nn => a.dim(1)?,
        Form::Tn => a.dim(0)?,
    };
    let gpu = &device(c)?;
    let [a, b, c] = [address::<f32>(NAME, a)?, address::<f32>(NAME, b)?, address::<f32>(NAME, c)?];
    let [rows, columns, depth]: [i32; 3] = [count(NAME, m)?, count(NAME, n)?, count(NAME, k)?];
    if is_large(m, n, k) {
        return by_library(gpu, form, [a, b, c], [rows, columns, depth], epilogue);
    }
    let tall = tiles((m, n), 32) >= ENOUGH_TILES;
    let name = match (form, tall) {
        (Form::Nt, false) => "product_nt_16",
        (Form::Nt, true) => "product_nt_32",
        (Form::Nn, false) => "product_nn_16",
        (Form::Nn, true) => "product_nn_32",
        (Form::Tn, false) => "product_tn_16",
        (Form::Tn, true) => "product_tn_32",
    };
    let blocks = (count(NAME, m.div_ceil(if tall { 32 } else { 16 }))?, count(NAME, n.div_ceil(32))?);
    let spread = Spread { blocks, threads: (256, 1) };
    launch!(gpu, Product, name, spread, [a, b, c, rows, columns, depth, epilogue]);
    Ok(())
}

/// The same by cuBLAS, and what is done with the result in a second pass over it.
fn by_library(
    gpu: &CudaDevice,
    form: Form,
    [a, b, c]: [u64; 3],
    [m, n, k]: [i32; 3],
    epilogue: Epilogue,
) -> Result<()> {
    use sys::cublasOperation_t::{CUBLAS_OP_N as PLAIN, CUBLAS_OP_T as TRANSPOSED};
    // cuBLAS has matrices column after column: to it, each of ours is its transpose, and it is asked for Cᵀ = op(B)ᵀ op(A)ᵀ.
    let (b_operation, b_leading, a_operation, a_leading) = match form {
        Form::Nt => (TRANSPOSED, k, PLAIN, k),
        Form::Nn => (PLAIN, n, PLAIN, k),
        Form::Tn => (PLAIN, n, TRANSPOSED, m),
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
            n,
            m,
            k,
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
            n,
            precision,
            sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
        )
    }
    .map_err(|error| Error::from(CudaError::from(error)))?;
    if epilogue.bias != 0 || epilogue.mask != 0 || epilogue.y != 0 {
        let elements = count(NAME, m as usize * n as usize)?;
        launch!(gpu, Product, "finish", one_each(elements), [c, m, n, epilogue]);
    }
    if epilogue.sums != 0 {
        let spread = Spread { blocks: (m.unsigned_abs().div_ceil(32), 1), threads: (32, 32) };
        launch!(gpu, Product, "column_sums", spread, [a, epilogue.sums, k, m]);
    }
    Ok(())
}
