//! Every operation of this crate in candle's own operations: any device, any floating-point dtype, any layout.
//!
//! These are what the fused forms are tested against, and what runs where there is no fused form.

use candle_core::{DType, Device, Result, Tensor};

use crate::activation::Activation;
use crate::adam::AdamStep;
use crate::loss::LossTerm;
use crate::mlp::LayerGradients;
use crate::sgd::SgdStep;
use crate::spectral::{EPSILON, SpectralNorm};

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

/// A layer's gradient before its activation, from its output `y` and the gradient for it; before a maxout it is to be [`spread`].
///
/// # Errors
/// When the shapes or dtypes do not fit.
pub fn pre_activation(activation: Activation, y: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    let derivative = match activation {
        Activation::Identity | Activation::Maxout(_) => return Ok(gradient.clone()),
        Activation::LeakyRelu(slope) => {
            // 1 where positive, else the slope.
            y.gt(0.)?.to_dtype(y.dtype())?.affine(1. - f64::from(slope), f64::from(slope))?
        }
        Activation::Tanh => y.sqr()?.affine(-1., 1.)?,
        Activation::Sigmoid => (y - y.sqr()?)?,
    };
    gradient * derivative
}

/// The gradients of a layer's parameters, from its input `x` and the gradient `pre` before its activation.
///
/// # Errors
/// When the shapes or dtypes do not fit.
pub fn parameter_gradients(x: &Tensor, pre: &Tensor) -> Result<LayerGradients> {
    Ok(LayerGradients { weight: pre.t()?.matmul(x)?, bias: pre.sum(0)? })
}

/// `gradient + preᵀ change`, of which [`InputGradientPass`](crate::InputGradientPass) makes the gradients of a gradient.
///
/// # Errors
/// When the shapes or dtypes do not fit.
pub fn add_product(gradient: &Tensor, pre: &Tensor, change: &Tensor) -> Result<Tensor> {
    gradient + pre.t()?.matmul(change)?
}

/// Which of `pieces` neighbouring columns is the largest, the first of several: `(B, units * pieces) -> (B, units)` u8. A NaN counts as
/// the largest.
///
/// # Errors
/// When the columns are not a multiple of the pieces, or there are no pieces.
pub fn winners(z: &Tensor, pieces: usize) -> Result<Tensor> {
    let (rows, columns) = z.dims2()?;
    if pieces == 0 {
        candle_core::bail!("maxout: expected at least one piece, found none");
    }
    let z = z.reshape((rows, columns / pieces, pieces))?;
    let piece = |i| z.narrow(2, i, 1)?.squeeze(2);
    let mut largest = piece(0)?;
    let mut winners = largest.zeros_like()?.to_dtype(DType::U8)?;
    for i in 1..pieces {
        let piece = piece(i)?;
        // Not `gt`: a NaN is not smaller either. What is NaN already, and so not its own equal, is not beaten.
        let wins = (piece.le(&largest)?.eq(0u8)? * largest.eq(&largest)?)?;
        largest = wins.where_cond(&piece, &largest)?;
        winners = wins.where_cond(&(winners.zeros_like()? + i as f64)?, &winners)?;
    }
    Ok(winners)
}

/// What stands where the winner does: `(B, units * pieces), (B, units) u8 -> (B, units)`.
///
/// # Errors
/// When the shapes do not fit.
pub fn select(z: &Tensor, winners: &Tensor) -> Result<Tensor> {
    let (rows, units) = winners.dims2()?;
    let index = winners.to_dtype(DType::U32)?.unsqueeze(2)?.contiguous()?;
    z.reshape((rows, units, ()))?.gather(&index, 2)?.squeeze(2)
}

/// `y` where the winner stands, and 0 elsewhere: `(B, units), (B, units) u8 -> (B, units * pieces)`.
///
/// # Errors
/// When the shapes do not fit.
pub fn spread(y: &Tensor, winners: &Tensor, pieces: usize) -> Result<Tensor> {
    let (rows, units) = winners.dims2()?;
    let index = winners.to_dtype(DType::U32)?.unsqueeze(2)?.contiguous()?;
    let zeros = Tensor::zeros((rows, units, pieces), y.dtype(), y.device())?;
    zeros.scatter_add(&index, &y.unsqueeze(2)?.contiguous()?, 2)?.reshape((rows, units * pieces))
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

/// [`mean_loss`](crate::mean_loss) on the host.
///
/// # Errors
/// When the shapes or dtypes do not fit.
pub fn mean_loss(logits: &Tensor, terms: &[LossTerm]) -> Result<(Tensor, Tensor)> {
    let values = logits.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let each = values.len() / terms.len().max(1);
    let mut sum = 0.;
    let mut slopes = Vec::with_capacity(values.len());
    for (values, LossTerm { term, weight }) in values.chunks(each.max(1)).zip(terms) {
        for &l in values {
            let (loss, slope) = term.of(l);
            sum += loss * weight / each as f64;
            slopes.push(slope * weight / each as f64);
        }
    }
    let on_device = |t: Tensor| t.to_dtype(logits.dtype())?.to_device(logits.device());
    let slopes = Tensor::from_vec(slopes, logits.shape(), &Device::Cpu)?;
    Ok((on_device(Tensor::new(sum, &Device::Cpu)?)?, on_device(slopes)?))
}

/// [`adam_step`](crate::adam_step) with a tensor for each intermediate.
///
/// # Errors
/// When the shapes or dtypes do not fit.
pub fn adam_step(
    parameter: &Tensor,
    gradient: &Tensor,
    m: &Tensor,
    v: &Tensor,
    step: &AdamStep,
) -> Result<()> {
    let (rate, v_correction) = step.corrections();
    let new_m = ((m * step.beta1)? + (gradient * (1. - step.beta1))?)?;
    let new_v = ((v * step.beta2)? + (gradient.sqr()? * (1. - step.beta2))?)?;
    let scale = ((new_v.sqrt()? * v_correction)? + step.epsilon)?;
    let moved = (parameter - ((&new_m * rate)? / scale)?)?;
    overwrite(parameter, &moved)?;
    overwrite(m, &new_m)?;
    overwrite(v, &new_v)
}

/// [`sgd_step`](crate::sgd_step) with a tensor for each intermediate.
///
/// # Errors
/// When the shapes or dtypes do not fit.
pub fn sgd_step(parameter: &Tensor, gradient: &Tensor, velocity: &Tensor, step: &SgdStep) -> Result<()> {
    let new = ((velocity * step.momentum)? + gradient)?;
    overwrite(parameter, &(parameter - (&new * step.learning_rate)?)?)?;
    overwrite(velocity, &new)
}

/// [`average_step`](crate::average_step) with a tensor for each intermediate.
///
/// # Errors
/// When the shapes or dtypes do not fit.
pub fn average_step(average: &Tensor, parameter: &Tensor, decay: f64) -> Result<()> {
    overwrite(average, &(average + ((parameter - average)? * (1. - decay))?)?)
}

/// [`spectral_norm`](crate::spectral_norm) in products with vectors.
///
/// # Errors
/// When the shapes or dtypes do not fit.
pub fn spectral_norm(weight: &Tensor, u: &Tensor) -> Result<SpectralNorm> {
    let norm = |x: &Tensor| x.sqr()?.sum_all()?.sqrt();
    let normalize = |x: &Tensor| x.broadcast_div(&norm(x)?.maximum(EPSILON)?);
    let times = |matrix: &Tensor, x: &Tensor| matrix.matmul(&x.unsqueeze(1)?)?.squeeze(1);
    let v = normalize(&times(&weight.t()?, u)?)?;
    let w_v = times(weight, &v)?;
    let lost = norm(&w_v)?.lt(EPSILON)?.broadcast_as(u.shape())?;
    let u = lost.where_cond(u, &normalize(&w_v)?)?;
    let sigma = (&u * w_v)?.sum_all()?.maximum(EPSILON)?;
    Ok(SpectralNorm { weight: weight.broadcast_div(&sigma)?, u, v, sigma })
}

/// [`SpectralNorm::weight_gradient`] with a tensor for each intermediate.
///
/// # Errors
/// When the shapes or dtypes do not fit.
pub fn spectral_norm_gradient(norm: &SpectralNorm, gradient: &Tensor) -> Result<Tensor> {
    let SpectralNorm { weight, u, v, sigma } = norm;
    let along = (gradient * weight)?.sum_all()?;
    let direction = u.unsqueeze(1)?.matmul(&v.unsqueeze(0)?)?;
    (gradient - direction.broadcast_mul(&along)?)?.broadcast_div(sigma)
}

/// [`center`](crate::center()) as a subtraction.
///
/// # Errors
/// When the shapes or dtypes do not fit.
pub fn center(x: &Tensor, center: &Tensor) -> Result<Tensor> {
    Ok(x.broadcast_sub(center)?.detach())
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
