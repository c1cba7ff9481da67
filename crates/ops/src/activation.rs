use candle_core::{Result, Tensor};

/// What a layer applies to each of its outputs.
///
/// Every one of them has a derivative that can be told from its *result*, so a backward pass needs no input kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// `x`
    Identity,
    /// `x` where positive, else `slope * x`; the slope is positive, and is the derivative at 0 as in PyTorch.
    LeakyRelu(f32),
    /// The hyperbolic tangent, in `[-1, 1]`.
    Tanh,
    /// `1 / (1 + exp(-x))`, in `[0, 1]`.
    Sigmoid,
}

impl Activation {
    /// Refuses a slope that is not positive: the result would not tell the sign of what it was made from.
    pub(crate) fn check(self, op: &str) -> Result<()> {
        match self {
            Self::LeakyRelu(slope) if slope.is_nan() || slope <= 0. => {
                candle_core::bail!("{op}: expected a LeakyReLU with a positive slope, found {slope}")
            }
            _ => Ok(()),
        }
    }

    /// Adds `bias` to `row` and applies the activation, in place.
    #[inline(always)]
    pub(crate) fn apply(self, row: &mut [f32], bias: &[f32]) {
        #[inline(always)]
        fn map(row: &mut [f32], bias: &[f32], f: impl Fn(f32) -> f32) {
            for (y, &b) in row.iter_mut().zip(bias) {
                *y = f(*y + b);
            }
        }
        match self {
            Self::Identity => map(row, bias, |x| x),
            Self::LeakyRelu(slope) => map(row, bias, |x| if x > 0. { x } else { slope * x }),
            Self::Tanh => map(row, bias, tanh),
            Self::Sigmoid => map(row, bias, sigmoid),
        }
    }

    /// Multiplies `grad` by the derivative, told from the result `y`.
    #[inline(always)]
    pub(crate) fn backward(self, y: &[f32], grad: &mut [f32]) {
        #[inline(always)]
        fn map(y: &[f32], grad: &mut [f32], derivative: impl Fn(f32) -> f32) {
            for (grad, &y) in grad.iter_mut().zip(y) {
                *grad *= derivative(y);
            }
        }
        match self {
            Self::Identity => {}
            Self::LeakyRelu(slope) => map(y, grad, |y| if y > 0. { 1. } else { slope }),
            Self::Tanh => map(y, grad, |y| 1. - y * y),
            Self::Sigmoid => map(y, grad, |y| y * (1. - y)),
        }
    }

    /// The activation in candle's own operations.
    pub(crate) fn reference(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Identity => Ok(x.clone()),
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
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let tail = 1. / 24. + r * (1. / 120. + r * (1. / 720. + r / 5040.));
    let series = 1. + r * (1. + r * (0.5 + r * (1. / 6. + r * tail)));
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
