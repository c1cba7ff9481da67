//! Penalties on how fast D's output changes with the image, as functions of its gradient for the image.
//!
//! Each gives its own gradient for *that* gradient, `(B, in)` for `(B, in)`, in which what follows the first `pixels` columns, a label, takes
//! no part. [`Pass::add_penalty`](ganlet_models::Pass::add_penalty) turns it into gradients for the weights.

use candle_core::{Result, Tensor};

/// Keeps the length of a gradient from 0 where it is divided by.
const TINY: f64 = 1e-12;

/// `gamma / 2 E |g|²` on real images: Mescheder et al., *Which training methods for GANs do actually converge?* (ICML 2018), equation
/// 9. Its gradient is `gamma / B g`.
pub(crate) fn r1(gradient: &Tensor, pixels: usize, gamma: f64) -> Result<Tensor> {
    let (batch, columns) = gradient.dims2()?;
    let gradient = (gradient.narrow(1, 0, pixels)? * (gamma / batch as f64))?;
    gradient.pad_with_zeros(1, 0, columns - pixels)
}

/// `weight E (|g| - 1)²` on mixtures of real and fake images: Gulrajani et al., *Improved training of Wasserstein GANs* (NeurIPS
/// 2017), equation 3. Its gradient is `2 weight / B (1 - 1 / |g|) g`.
pub(crate) fn unit_slope(gradient: &Tensor, pixels: usize, weight: f64) -> Result<Tensor> {
    let (batch, columns) = gradient.dims2()?;
    let gradient = gradient.narrow(1, 0, pixels)?;
    let length = (gradient.sqr()?.sum_keepdim(1)? + TINY)?.sqrt()?;
    let factor = (length.recip()?.affine(-1., 1.)? * (2. * weight / batch as f64))?;
    gradient.broadcast_mul(&factor)?.pad_with_zeros(1, 0, columns - pixels)
}

/// `share real + (1 - share) fake`, row by row: the same, algorithm 1.
pub(crate) fn mix(real: &Tensor, fake: &Tensor, shares: &Tensor) -> Result<Tensor> {
    fake + (real - fake)?.broadcast_mul(shares)?
}
