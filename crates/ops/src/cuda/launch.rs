//! From tensors to addresses, and from a kernel's name to its launch.

use std::ffi::c_void;
use std::ptr::null_mut;

use candle_core::cuda::cudarc::driver::sys::{
    CUdevice_attribute, CUlaunchAttribute, CUlaunchAttributeID, CUlaunchAttributeValue, CUlaunchConfig,
    cuLaunchKernelEx,
};
use candle_core::cuda::cudarc::driver::{DevicePtr, DeviceRepr};
use candle_core::cuda::{CudaDType, WrapErr};
use candle_core::{CudaDevice, DType, Device, Error, Result, Storage, Tensor};

/// A file of kernels, as the build script has compiled it.
struct Compiled {
    name: &'static str,
    /// PTX for any GPU.
    ptx: &'static str,
    /// PTX for Hopper and newer, whose kernels can start while the one before them ends.
    overlapping: &'static str,
}

macro_rules! compiled {
    ($name:literal) => {
        Compiled {
            name: concat!("ganlet_", $name),
            ptx: include_str!(concat!(env!("OUT_DIR"), "/", $name, ".ptx")),
            overlapping: include_str!(concat!(env!("OUT_DIR"), "/overlapping/", $name, ".ptx")),
        }
    };
}

const MODULES: [Compiled; 5] = [
    compiled!("product"),
    compiled!("vectors"),
    compiled!("elements"),
    compiled!("updates"),
    compiled!("noise"),
];

/// Which of [`MODULES`].
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
        let mut arguments = Vec::new();
        $(
            let argument = $argument;
            arguments.push($crate::cuda::launch::pointer(&argument));
        )*
        // SAFETY: the caller's, as the macro says; what is pointed to is there until this returns.
        unsafe {
            $crate::cuda::launch::queue(
                $device,
                $crate::cuda::launch::Module::$module,
                $name,
                $spread,
                &mut arguments,
            )?;
        }
    }};
}
pub(super) use launch;

/// An argument, as the driver is given it.
pub(super) fn pointer<T: DeviceRepr>(argument: &T) -> *mut c_void {
    (&raw const *argument).cast_mut().cast()
}

/// Queues a kernel of ours, which may be started while the one before it ends: it waits by itself (see `launch.cuh`).
///
/// # Safety
/// `arguments` point to what the kernel is declared to take.
pub(super) unsafe fn queue(
    gpu: &CudaDevice,
    module: Module,
    name: &str,
    spread: Spread,
    arguments: &mut [*mut c_void],
) -> Result<()> {
    if spread.blocks.0 == 0 || spread.blocks.1 == 0 {
        return Ok(());
    }
    let stream = gpu.cuda_stream();
    let context = stream.context();
    let overlaps =
        context.attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR).w()? >= 9;
    let Compiled { name: module, ptx, overlapping } = &MODULES[module as usize];
    let kernel = gpu.get_or_load_custom_func(name, module, if overlaps { overlapping } else { ptx })?;
    let mut attribute = CUlaunchAttribute {
        id: CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
        pad: Default::default(),
        value: CUlaunchAttributeValue { programmaticStreamSerializationAllowed: 1 },
    };
    let config = CUlaunchConfig {
        gridDimX: spread.blocks.0,
        gridDimY: spread.blocks.1,
        gridDimZ: 1,
        blockDimX: spread.threads.0,
        blockDimY: spread.threads.1,
        blockDimZ: 1,
        sharedMemBytes: 0,
        hStream: stream.cu_stream(),
        attrs: &raw mut attribute,
        numAttrs: overlaps.into(),
    };
    context.bind_to_thread().w()?;
    // SAFETY: the caller's; configuration and attribute are read before this returns.
    unsafe { cuLaunchKernelEx(&raw const config, kernel.cu_function(), arguments.as_mut_ptr(), null_mut()) }
        .result()
        .w()
}
