//! What the tests of this crate and of those above share.

use candle_core::Device;

/// The devices to test on: the CPU, and the first GPU where candle was built for one and there is one.
///
/// # Panics
/// Where there is no GPU and the variable `GANLET_REQUIRE_GPU` is set, so that nobody takes the CPU's tests for the GPU's.
pub fn devices() -> Vec<Device> {
    let gpu = crate::open_gpu(0).ok();
    let required = std::env::var_os("GANLET_REQUIRE_GPU").is_some();
    assert!(gpu.is_some() || !required, "GANLET_REQUIRE_GPU is set, and no GPU could be opened");
    [Device::Cpu].into_iter().chain(gpu).collect()
}

/// Numbers from -1.5 to 1.5, none beside an equal one.
#[cfg(test)]
pub(crate) fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|at| ((at * 7919 + seed) % 1009) as f32 / 337. - 1.5).collect()
}
