//! Every operation of this crate in candle's own operations: any device, any floating-point dtype, any layout.
//!
//! These are what the fused forms are tested against, and what runs where there is no fused form.

use candle_core::{DType, Result, Tensor, Var};

use crate::activation::Activation;
use crate::adam::AdamStep;
use crate::mlp::{Layer, LayerGradients};

/// [`linear`](crate::linear) as a matrix product, an addition and the activation.
///
/// # Errors
/// When the shapes or dtypes do not fit.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    activation.reference(&x.matmul(&weight.t()?)?.broadcast_add(bias)?)
}

/// [`matmul`](crate::matmul()) as candle has it.
///
/// # Errors
/// When the shapes or dtypes do not fit.
pub fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.matmul(b)
}

/// A layer's gradient before its activation, from its output `y` and the gradient for it.
///
/// # Errors
/// When the shapes or dtypes do not fit.
pub fn pre_activation(activation: Activation, y: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    let derivative = match activation {
        Activation::Identity => return Ok(gradient.clone()),
        Activation::LeakyRelu(slope) => {
            // 1 where positive, else the slope.
            y.gt(0.)?.to_dtype(y.dtype())?.affine(1. - f64::from(slope), f64::from(slope))?
        }
        Activation::Tanh => y.sqr()?.affine(-1., 1.)?,
        Activation::Sigmoid => (y - y.sqr()?)?,
    };
    gradient * derivative
}

/// The backward pass of a layer of [`mlp`](crate::mlp()): from the gradient `pre` before its activation, that before the activation
/// `input` that made `x`, and those of its parameters.
///
/// # Errors
/// When the shapes or dtypes do not fit.
pub fn layer_backward(
    layer: &Layer,
    x: &Tensor,
    pre: &Tensor,
    input: Option<Activation>,
    parameters: bool,
) -> Result<(Option<Tensor>, Option<LayerGradients>)> {
    let input = match input {
        Some(below) => Some(pre_activation(below, x, &pre.matmul(&layer.weight)?)?),
        None => None,
    };
    let parameters = match parameters {
        true => Some(LayerGradients { weight: pre.t()?.matmul(x)?, bias: pre.sum(0)? }),
        false => None,
    };
    Ok((input, parameters))
}

/// [`bce_with_logits`](crate::bce_with_logits) with the softplus written out.
///
/// # Errors
/// When `logits` is not a floating-point tensor.
pub fn bce_with_logits(logits: &Tensor, target: f64) -> Result<Tensor> {
    // ln(1 + exp(-|l|)): the argument of the logarithm is in (1, 2], where rounding costs at most 6e-8.
    let tail = (logits.abs()?.neg()?.exp()? + 1.)?.log()?;
    let positive = (logits.relu()? * (1. - target))?;
    let negative = (logits.neg()?.relu()? * target)?;
    ((positive + negative)? + tail)?.mean_all()
}

/// [`adam_step`](crate::adam_step) with a tensor for each intermediate.
///
/// # Errors
/// When the shapes or dtypes do not fit.
pub fn adam_step(parameter: &Var, gradient: &Tensor, m: &Tensor, v: &Tensor, step: &AdamStep) -> Result<()> {
    let (rate, v_correction) = step.corrections();
    let new_m = ((m * step.beta1)? + (gradient * (1. - step.beta1))?)?;
    let new_v = ((v * step.beta2)? + (gradient.sqr()? * (1. - step.beta2))?)?;
    let scale = ((new_v.sqrt()? * v_correction)? + step.epsilon)?;
    let moved = (parameter.as_tensor() - ((&new_m * rate)? / scale)?)?;
    parameter.set(&moved)?;
    overwrite(m, &new_m)?;
    overwrite(v, &new_v)
}

/// [`normalize`](crate::normalize) by candle's conversion.
///
/// # Errors
/// When candle cannot convert the dtype.
pub fn normalize(pixels: &Tensor) -> Result<Tensor> {
    pixels.to_dtype(DType::F32)?.affine(2. / 255., -1.)
}

/// [`denormalize`](crate::denormalize) by candle's conversion, which rounds towards zero.
///
/// # Errors
/// When candle cannot convert the dtype.
pub fn denormalize(images: &Tensor) -> Result<Tensor> {
    images.affine(127.5, 127.5)?.clamp(0f32, 255f32)?.affine(1., 0.5)?.to_dtype(DType::U8)
}

/// [`gather_normalize`](crate::gather_normalize) as a selection and [`normalize`].
///
/// # Errors
/// When shapes or dtypes do not fit, or an index is out of range.
pub fn gather_normalize(pixels: &Tensor, indices: &Tensor) -> Result<Tensor> {
    normalize(&pixels.index_select(indices, 0)?)
}

/// Copies `from` over `to`, which candle allows for variables and slices.
fn overwrite(to: &Tensor, from: &Tensor) -> Result<()> {
    if to.rank() == 0 {
        to.reshape(1)?.slice_set(&from.reshape(1)?, 0, 0)
    } else {
        to.slice_set(&from.contiguous()?, 0, 0)
    }
}
