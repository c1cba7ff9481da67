use candle_core::{Result, Tensor};

use crate::cpu::{applies, floating, with_slices};
use crate::{cuda, reference};

const NAME: &str = "mean_loss";

/// A loss of one number, times a weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossTerm {
    /// The loss.
    pub term: Term,
    /// What it is multiplied by.
    pub weight: f64,
}

/// A loss of one number `l`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Term {
    /// The binary cross-entropy of `sigmoid(l)`, as [`bce_with_logits`](crate::bce_with_logits) has it.
    CrossEntropy {
        /// In `[0, 1]`.
        target: f64,
    },
    /// `½ (l - target)²`
    HalfSquare {
        /// Any.
        target: f64,
    },
    /// `max(0, 1 - sign l)`
    Hinge {
        /// 1 or -1.
        sign: f64,
    },
    /// `sign l`
    Linear {
        /// 1 or -1.
        sign: f64,
    },
}

impl Term {
    /// The loss, and its derivative.
    pub(crate) fn of(self, l: f64) -> (f64, f64) {
        match self {
            Self::CrossEntropy { target } => {
                // sigmoid(|l|) and sigmoid(-|l|) of one exponential, neither by cancellation.
                let small = (-l.abs()).exp();
                let [high, low] = [1., small].map(|x| x / (1. + small));
                let (positive, negative) = if l > 0. { (l, 0.) } else { (0., -l) };
                let (up, down) = if l > 0. { (high, low) } else { (low, high) };
                (
                    (1. - target) * positive + target * negative + small.ln_1p(),
                    (1. - target) * up - target * down,
                )
            }
            Self::HalfSquare { target } => (0.5 * (l - target) * (l - target), l - target),
            // Written so that NaN stays NaN.
            Self::Hinge { sign } => match 1. - sign * l {
                missing if missing <= 0. => (0., 0.),
                missing => (missing, -sign),
            },
            Self::Linear { sign } => (sign * l, sign),
        }
    }
}

/// The mean of a loss over logits `(B, 1)`, and its gradient `(B, 1)` for them, in one pass: `(value, gradient)`, the value a scalar.
///
/// With two `terms` the first is for the first half of the rows, the second for the other, and the value is the sum of two means: a
/// discriminator's loss of real and fake images. The gradient is computed by hand, as by [`mlp`](fn@crate::mlp): candle takes both for constants.
///
/// # Errors
/// When `logits` is not such a tensor of a floating-point type, is empty, or cannot be shared out, or there are no terms, or more than two.
pub fn mean_loss(logits: &Tensor, terms: &[LossTerm]) -> Result<(Tensor, Tensor)> {
    let (rows, columns) = logits.dims2()?;
    if columns != 1 || rows == 0 || !(1..=2).contains(&terms.len()) || !rows.is_multiple_of(terms.len()) {
        candle_core::bail!(
            "{NAME}: expected one or two terms and logits (B, 1), as many for each term, found {} terms and {:?}",
            terms.len(),
            logits.shape()
        );
    }
    floating(NAME, logits)?;
    let logits = logits.contiguous()?;
    if cuda::applies(&[&logits]) {
        return cuda::mean_loss(&logits, terms);
    }
    if !applies(&[&logits]) {
        return reference::mean_loss(&logits, terms);
    }
    let each = rows / terms.len();
    let mut value = 0.;
    let mut gradient = Vec::with_capacity(rows);
    with_slices(NAME, [&logits], |[logits]| {
        for (logits, LossTerm { term, weight }) in logits.chunks_exact(each).zip(terms) {
            let scale = weight / each as f64;
            for &l in logits {
                let (loss, slope) = term.of(f64::from(l));
                value += scale * loss;
                gradient.push((scale * slope) as f32);
            }
        }
        Ok(())
    })?;
    let device = logits.device();
    Ok((Tensor::new(value as f32, device)?, Tensor::from_vec(gradient, (rows, 1), device)?))
}
