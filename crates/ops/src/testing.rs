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

/// The other order of a matrix of so many rows.
#[cfg(test)]
pub(crate) fn transposed(a: &[f32], rows: usize) -> Vec<f32> {
    let columns = a.len() / rows;
    (0..a.len()).map(|at| a[at % rows * columns + at / rows]).collect()
}

/// `begin` and the product of `a` and `b`: each element alone, from what it begins with and its first product to its last, each of which is
/// rounded before it is added, unless they are `fused`.
#[cfg(test)]
pub(crate) fn sums(
    begin: &[f32],
    a: &[f32],
    b: &[f32],
    [rows, depth, cols]: [usize; 3],
    fused: bool,
) -> Vec<f32> {
    let sum = |row: usize, col: usize| {
        (0..depth).fold(begin[row * cols + col], |sum, i| {
            let (x, y) = (a[row * depth + i], b[i * cols + col]);
            if fused { x.mul_add(y, sum) } else { x * y + sum }
        })
    };
    (0..rows * cols).map(|at| sum(at / cols, at % cols)).collect()
}
