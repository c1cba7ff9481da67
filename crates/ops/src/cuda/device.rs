//! A GPU, set up for training.

use std::any::Any;
use std::panic;
use std::sync::{Mutex, PoisonError};

use candle_core::cuda::WrapErr;
use candle_core::cuda::cudarc::driver::sys::{
    CUmemPool_attribute, cuDeviceGetDefaultMemPool, cuMemPoolSetAttribute,
};
use candle_core::{Device, Error, Result};

/// The GPU of this number, with a stream of its own, which can be recorded.
///
/// # Errors
/// When there is no such GPU, no driver, or a library of CUDA is missing.
pub fn open(number: usize) -> Result<Device> {
    /// One at a time: whoever puts the hook back must have taken the real one.
    static HOOK: Mutex<()> = Mutex::new(());

    // Where a library is missing cudarc panics, and prints what the error says shorter.
    let opened = {
        let _one = HOOK.lock().unwrap_or_else(PoisonError::into_inner);
        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        let opened = panic::catch_unwind(|| set_up(number));
        panic::set_hook(hook);
        opened
    };
    opened.unwrap_or_else(|cause| Err(Error::Msg(explained(&*cause))))
}

/// What cudarc panics with, in short.
fn explained(cause: &(dyn Any + Send)) -> String {
    let string = cause.downcast_ref::<String>().map(String::as_str);
    let cause = string.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("no reason is known");
    match cause.strip_prefix("Unable to dynamically load the \"").and_then(|rest| rest.split_once('"')) {
        Some((library, _)) => format!(
            "lib{library} cannot be loaded (libcuda is part of NVIDIA's driver, libcublas and libcurand of CUDA)"
        ),
        None => cause.into(),
    }
}

fn set_up(number: usize) -> Result<Device> {
    let device = Device::new_cuda_with_stream(number)?;
    let gpu = device.as_cuda_device()?;
    // SAFETY: everything is queued on the device's one stream, which keeps the order that events would.
    unsafe { gpu.disable_event_tracking() };
    let mut pool = std::ptr::null_mut();
    let mut kept = u64::MAX;
    // SAFETY: both are written to by calls that have returned.
    unsafe {
        cuDeviceGetDefaultMemPool(&raw mut pool, gpu.cuda_stream().context().cu_device()).result().w()?;
        // Memory that was given back is kept for the next tensor, and not returned to the system whenever somebody waits for the GPU.
        let attribute = CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        cuMemPoolSetAttribute(pool, attribute, (&raw mut kept).cast()).result().w()?;
    }
    Ok(device)
}
