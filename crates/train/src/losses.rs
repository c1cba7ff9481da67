//! The losses of Goodfellow et al., *Generative Adversarial Nets* (NeurIPS 2014): logits `(B, 1)` -> a scalar, in nats.
//!
//! The paper's D ends in a sigmoid, and its losses are logarithms of probabilities. Here they are written on the
//! logits, `-ln sigmoid(l) = softplus(-l)`: the same numbers, finite however sure D is.

use candle_core::{Result, Tensor};
use ganlet_ops::bce_with_logits;

const REAL: f64 = 1.;
const FAKE: f64 = 0.;

/// What D lowers: `BCE(D(x), 1) + BCE(D(G(z)), 0)`, the negative of the paper's equation 1.
///
/// # Errors
/// When there are no logits.
pub fn discriminator(real: &Tensor, fake: &Tensor) -> Result<Tensor> {
    bce_with_logits(real, REAL)? + bce_with_logits(fake, FAKE)?
}

/// What G lowers: `BCE(D(G(z)), 1)`, the non-saturating loss of the paper's section 3. Where D is sure of a fake, its
/// gradient is strong; that of the paper's `ln(1 - D(G(z)))` vanishes.
///
/// # Errors
/// When there are no logits.
pub fn generator(fake: &Tensor) -> Result<Tensor> {
    bce_with_logits(fake, REAL)
}
