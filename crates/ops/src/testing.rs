//! What the tests of this crate and of those above share.

use candle_core::Device;

/// The devices to test on: the CPU, and the first GPU where candle was built for one and there is one.
pub fn devices() -> Vec<Device> {
    // Without a driver cudarc panics.
    let gpu = std::panic::catch_unwind(|| crate::open_gpu(0)).ok().and_then(Result::ok);
    [Device::Cpu].into_iter().chain(gpu).collect()
}
