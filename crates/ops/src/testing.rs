//! What the tests of this crate and of those above share.

use candle_core::Device;

/// The devices to test on: the CPU, and the first GPU where candle was built for one and there is one.
pub fn devices() -> Vec<Device> {
    // Without a driver candle panics.
    let gpu = || std::panic::catch_unwind(|| Device::new_cuda(0)).ok()?.ok();
    let gpu = if candle_core::utils::cuda_is_available() { gpu() } else { None };
    [Device::Cpu].into_iter().chain(gpu).collect()
}
