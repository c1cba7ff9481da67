//! From tensors to addresses, and from a kernel's name to its launch.

use candle_core::cuda::CudaDType;
use candle_core::cuda::cudarc::driver::{DevicePtr, DeviceRepr};
use candle_core::{CudaDevice, DType, Device, Error, Result, Storage, Tensor};

/// The kernels, compiled by the build script: one module for each file.
pub(super) const MODULES: [(&str, &str); 5] = [
    ("ganlet_product", include_str!(concat!(env!("OUT_DIR"), "/product.ptx"))),
    ("ganlet_vectors", include_str!(concat!(env!("OUT_DIR"), "/vectors.ptx"))),
    ("ganlet_elements", include_str!(concat!(env!("OUT_DIR"), "/elements.ptx"))),
    ("ganlet_updates", include_str!(concat!(env!("OUT_DIR"), "/updates.ptx"))),
    ("ganlet_noise", include_str!(concat!(env!("OUT_DIR"), "/noise.ptx"))),
];

/// A file of kernels, as a place in [`MODULES`].
#[derive(Clone, Copy)]
pub(super) enum Module {
    Product,
    Vectors,
    Elements,
    Updates,
    Noise,
}

/// Threads of a block where each has one element.
pub(super) const THREADS: u32 = 256;

/// Whether the CUDA forms in f32 apply to all of these.
pub(crate) fn applies(tensors: &[&Tensor]) -> bool {
    tensors.iter().all(|t| matches!(t.device(), Device::Cuda(_)) && t.dtype() == DType::F32)
}

/// The tensor's device.
pub(super) fn device(tensor: &Tensor) -> Result<CudaDevice> {
    Ok(tensor.device().as_cuda_device()?.clone())
}

/// Where the elements of a contiguous tensor begin.
///
/// The address outlives what is borrowed here, but not its use: whoever gives it to a launch holds the tensor until that is queued, and
/// memory is given back in the stream's order too.
pub(super) fn address<T: CudaDType + DeviceRepr>(op: &'static str, tensor: &Tensor) -> Result<u64> {
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cuda(storage) = &*storage else {
        candle_core::bail!("{op}: expected a tensor on a GPU, found one on {:?}", tensor.device().location())
    };
    let (start, _) = layout.contiguous_offsets().ok_or(Error::RequiresContiguous { op })?;
    let slice = storage.as_cuda_slice::<T>()?;
    let (address, _in_order) = slice.device_ptr(slice.stream());
    Ok(address + (start * size_of::<T>()) as u64)
}

/// The address, or 0 where there is no tensor, which the kernels take for "not".
pub(super) fn optional(op: &'static str, tensor: Option<&Tensor>) -> Result<u64> {
    tensor.map_or(Ok(0), |tensor| address::<f32>(op, tensor))
}

/// A size as the kernels count.
pub(super) fn count<T: TryFrom<usize>>(op: &'static str, size: usize) -> Result<T> {
    T::try_from(size)
        .map_err(|_| Error::msg(format!("{op}: {size} elements are more than its kernel counts")))
}

/// How a kernel is spread: blocks in two dimensions, threads in two.
#[derive(Clone, Copy)]
pub(super) struct Spread {
    pub(super) blocks: (u32, u32),
    pub(super) threads: (u32, u32),
}

/// A thread for each element.
pub(super) fn one_each(elements: u32) -> Spread {
    Spread { blocks: (elements.div_ceil(THREADS), 1), threads: (THREADS, 1) }
}

/// Queues a kernel; nothing at all where there are no blocks.
///
/// The arguments are, in number, order and type, those of the kernel's declaration, and each address is that of as many elements as
/// the kernel's comment says.
macro_rules! launch {
    ($device:expr, $module:ident, $name:expr, $spread:expr, [$($argument:expr),* $(,)?]) => {{
        use candle_core::cuda::WrapErr;
        use candle_core::cuda::cudarc::driver::{LaunchConfig, PushKernelArg};
        let spread: $crate::cuda::launch::Spread = $spread;
        if spread.blocks.0 > 0 && spread.blocks.1 > 0 {
            let (module, ptx) = $crate::cuda::launch::MODULES[$crate::cuda::launch::Module::$module as usize];
            let kernel = $device.get_or_load_custom_func($name, module, ptx)?;
            let mut builder = kernel.builder();
            $(
                let argument = $argument;
                builder.arg(&argument);
            )*
            // SAFETY: the caller's, as the macro says.
            unsafe {
                builder.launch(LaunchConfig {
                    grid_dim: (spread.blocks.0, spread.blocks.1, 1),
                    block_dim: (spread.threads.0, spread.threads.1, 1),
                    shared_mem_bytes: 0,
                })
            }
            .w()?;
        }
    }};
}
pub(super) use launch;
