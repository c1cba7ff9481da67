use candle_core::{Result, Tensor};

use crate::reference;

/// What a layer applies to each of its outputs.
///
/// The derivative can be told from the *result*, so a backward pass needs no input kept; of [`Activation::Maxout`] it needs to know which
/// piece won.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// `x`
    Identity,
    /// `x` where positive, else `slope * x`; the slope is not negative, and is the derivative at 0 as in PyTorch. With slope 0 it is
    /// the ReLU.
    LeakyRelu(f32),
    /// The hyperbolic tangent, in `[-1, 1]`.
    Tanh,
    /// `1 / (1 + exp(-x))`, in `[0, 1]`.
    Sigmoid,
    /// The maximum of so many pieces, 1 to 256: Goodfellow et al., *Maxout networks* (ICML 2013).
    ///
    /// The layer's weight has a row, and its bias an element, for each piece: unit j is the maximum over the rows `j * pieces..(j + 1) *
    /// pieces`. Where several are the maximum, the gradient goes to the first.
    Maxout(usize),
}

impl Activation {
    /// Refuses a negative slope, whose result would not tell the sign of what it was made from, and pieces that a byte cannot number.
    pub(crate) fn check(self, op: &str) -> Result<()> {
        match self {
            Self::LeakyRelu(slope) if slope.is_nan() || slope < 0. => {
                candle_core::bail!("{op}: expected a LeakyReLU with a slope of at least 0, found {slope}")
            }
            Self::Maxout(pieces) if !(1..=256).contains(&pieces) => {
                candle_core::bail!("{op}: expected a maxout of 1 to 256 pieces, found {pieces}")
            }
            _ => Ok(()),
        }
    }

    /// The rows of the weight that make one unit.
    pub(crate) fn pieces(self) -> usize {
        match self {
            Self::Maxout(pieces) => pieces,
            _ => 1,
        }
    }

    /// Whether the derivative is constant between kinks, so that a gradient can be differentiated without a derivative of it.
    pub(crate) fn is_piecewise_linear(self) -> bool {
        match self {
            Self::Identity | Self::LeakyRelu(_) | Self::Maxout(_) => true,
            Self::Tanh | Self::Sigmoid => false,
        }
    }

    /// Adds `bias` to `row` and applies the activation, in place. (Of a maxout's row these are the pieces: see [`crate::maxout`].)
    #[inline(always)]
    pub(crate) fn apply(self, row: &mut [f32], bias: &[f32]) {
        #[inline(always)]
        fn map(row: &mut [f32], bias: &[f32], f: impl Fn(f32) -> f32) {
            for (y, &b) in row.iter_mut().zip(bias) {
                *y = f(*y + b);
            }
        }
        match self {
            Self::Identity | Self::Maxout(_) => map(row, bias, |x| x),
            Self::LeakyRelu(slope) => map(row, bias, |x| if x > 0. { x } else { slope * x }),
            Self::Tanh => map(row, bias, tanh),
            Self::Sigmoid => map(row, bias, sigmoid),
        }
    }

    /// Multiplies `grad` by the derivative, told from the result `y`. (A maxout's is 1, for the piece that won.)
    #[inline(always)]
    pub(crate) fn backward(self, y: &[f32], grad: &mut [f32]) {
        #[inline(always)]
        fn map(y: &[f32], grad: &mut [f32], derivative: impl Fn(f32) -> f32) {
            for (grad, &y) in grad.iter_mut().zip(y) {
                *grad *= derivative(y);
            }
        }
        match self {
            Self::Identity | Self::Maxout(_) => {}
            Self::LeakyRelu(slope) => map(y, grad, |y| if y > 0. { 1. } else { slope }),
            Self::Tanh => map(y, grad, |y| 1. - y * y),
            Self::Sigmoid => map(y, grad, |y| y * (1. - y)),
        }
    }

    /// The activation in candle's own operations.
    pub(crate) fn reference(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Identity => Ok(x.clone()),
            Self::Maxout(pieces) => reference::select(x, &reference::winners(&x.detach(), pieces)?),
            Self::LeakyRelu(slope) => x.gt(0.)?.where_cond(x, &(x * f64::from(slope))?),
            Self::Tanh => x.tanh(),
            // `0.5 tanh(x / 2) + 0.5`: the same function, and differentiable in candle.
            Self::Sigmoid => (x * 0.5)?.tanh()?.affine(0.5, 0.5),
        }
    }
}

/// `tanh(x) = 1 - 2 / (exp(2x) + 1)`, within 2e-7; exactly -1 and 1 far out; NaN stays NaN.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    1. - 2. / (exp(2. * x) + 1.)
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1. / (exp(-x) + 1.)
}

/// `exp(x)` within 2e-7 relative, for `x` limited to `[-87, 88]` where f32 holds the result; branch-free, so that it is
/// compiled into vector instructions.
///
/// `exp(x) = 2^n exp(r)` with `n` the integer nearest `x / ln 2`, and the Taylor series of `exp(r)` up to `r^7`: with
/// `|r| <= ln 2 / 2` its remainder is below 6e-9.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// `ln 2` in two parts, the first with enough trailing zeros that `n * LN_2_HIGH` is exact.
    const LN_2_HIGH: f32 = 355. / 512.;
    const LN_2_LOW: f32 = (std::f64::consts::LN_2 - 355. / 512.) as f32;
    /// Adding and subtracting 1.5 * 2^23 rounds to an integer.
    const ROUND: f32 = 12_582_912.;
    // Not `clamp`: these comparisons let NaN through.
    let x = if x > 88. { 88. } else { x };
    let x = if x < -87. { -87. } else { x };
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, x));
    let tail = r.mul_add(r.mul_add(r.mul_add(1. / 5040., 1. / 720.), 1. / 120.), 1. / 24.);
    let series = r.mul_add(r.mul_add(r.mul_add(r.mul_add(tail, 1. / 6.), 0.5), 1.), 1.);
    // 2^n by its exponent bits: the low bits of `shifted` are those of the integer n.
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    series * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_tanh_and_sigmoid_are_accurate() {
        for i in -200_000i32..=200_000 {
            let x = i as f32 / 2000.;
            let wide = f64::from(x);
            let limited = wide.clamp(-87., 88.).exp();
            assert!((f64::from(exp(x)) / limited - 1.).abs() < 3e-7, "exp({x}) = {}", exp(x));
            assert!((f64::from(tanh(x)) - wide.tanh()).abs() < 2e-7, "tanh({x}) = {}", tanh(x));
            let expected = 1. / (1. + (-wide).exp());
            assert!((f64::from(sigmoid(x)) - expected).abs() < 2e-7, "sigmoid({x}) = {}", sigmoid(x));
        }
        assert_eq!([tanh(f32::INFINITY), tanh(f32::NEG_INFINITY)], [1., -1.]);
        assert!(tanh(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan());
    }
}
