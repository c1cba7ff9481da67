use candle_core::{Result, Tensor};

use crate::cpu::{applies, same_shape, vectorized, with_slices};
use crate::dot::dot;
use crate::matmul::matmul;
use crate::matrix::Mat;
use crate::parallel::in_chunks;
use crate::reference;

const NAME: &str = "spectral_norm";

/// What norms and the singular value are at least, where something is divided by them: `torch.nn.utils.parametrizations.spectral_norm` has
/// it for the norms.
pub(crate) const EPSILON: f64 = 1e-12;

/// A weight divided by its largest singular value, as [`spectral_norm`] estimates it.
#[derive(Clone, Debug)]
pub struct SpectralNorm {
    /// `W / sigma`, `(out, in)`.
    pub weight: Tensor,
    /// The left singular vector, `(out,)`, to be given to the next step; its norm is 1.
    pub u: Tensor,
    /// The right singular vector, `(in,)`.
    pub v: Tensor,
    /// The singular value `uᵀ W v`, at least 1e-12, a scalar.
    pub sigma: Tensor,
}

/// Divides `weight` `(out, in)` by its largest singular value, which one power iteration from `u` `(out,)` on estimates.
///
/// Miyato et al., *Spectral normalization for generative adversarial networks* (ICLR 2018), algorithm 1: `v = Wᵀu / |Wᵀu|`, `u = Wv / |Wv|`,
/// `sigma = uᵀ W v`. The weights of one step are close to those of the last, so that `u` is a good place to begin; in the beginning it is
/// a random direction. Where `Wᵀ` maps the guess to 0, `u` stays, and `sigma` is the least there is: of a matrix of zeros the result is 0, of
/// others it is as large as that makes it.
///
/// # Errors
/// When ranks, sizes or dtypes do not fit, or devices differ.
pub fn spectral_norm(weight: &Tensor, u: &Tensor) -> Result<SpectralNorm> {
    let (outputs, inputs) = weight.dims2()?;
    if u.dims() != [outputs] {
        candle_core::bail!(
            "{NAME}: for a weight {:?} expected a vector u ({outputs},), found {:?}",
            weight.shape(),
            u.shape()
        );
    }
    let (weight, u) = (weight.contiguous()?.detach(), u.contiguous()?.detach());
    if !applies(&[&weight, &u]) {
        return reference::spectral_norm(&weight, &u);
    }
    let (normalized, new_u, v, sigma) = with_slices(NAME, [&weight, &u], |[w, u]| {
        let matrix = Mat::new(w, inputs);
        let mut v = matmul(Mat::new(u, outputs), matrix, |_, _, _| {});
        let length = norm(&v);
        divide(&mut v, length);
        let w_v = matmul(Mat::new(&v, inputs), matrix.transposed(), |_, _, _| {});
        let mut new_u = w_v.clone();
        match norm(&w_v) {
            lost if lost < EPSILON => new_u.copy_from_slice(u),
            norm => divide(&mut new_u, norm),
        }
        let sigma = at_least_epsilon(dot(&new_u, &w_v));
        let normalized = in_chunks(w.len(), 1, 2, |start, normalized: &mut [f32]| {
            normalized.copy_from_slice(&w[start..][..normalized.len()]);
            divide(normalized, sigma);
        });
        Ok((normalized, new_u, v, sigma as f32))
    })?;
    let device = weight.device();
    Ok(SpectralNorm {
        weight: Tensor::from_vec(normalized, (outputs, inputs), device)?,
        u: Tensor::from_vec(new_u, outputs, device)?,
        v: Tensor::from_vec(v, inputs, device)?,
        sigma: Tensor::new(sigma, device)?,
    })
}

impl SpectralNorm {
    /// From the `gradient` `(out, in)` for `W / sigma`: that for `W`, `u` and `v` being constants as in the paper's equation 12:
    /// `(G - <G, W / sigma> u vᵀ) / sigma`.
    ///
    /// # Errors
    /// When `gradient` does not have the weight's shape.
    pub fn weight_gradient(&self, gradient: &Tensor) -> Result<Tensor> {
        let Self { weight, u, v, sigma } = self;
        same_shape(NAME, weight, gradient)?;
        if !applies(&[weight, u, v, sigma, gradient]) {
            return reference::spectral_norm_gradient(self, gradient);
        }
        let (_, inputs) = weight.dims2()?;
        let tensors = [&gradient.contiguous()?, weight, u, v, sigma];
        let for_weight = with_slices(NAME, tensors, |[gradient, weight, u, v, sigma]| {
            let along = vectorized(
                #[inline(always)]
                || dot(gradient, weight),
            ) as f32;
            // A scalar's only element.
            let scale = sigma.iter().map(|sigma| 1. / sigma).sum::<f32>();
            Ok(in_chunks(gradient.len(), inputs, 4, |start, rows: &mut [f32]| {
                rows.copy_from_slice(&gradient[start..][..rows.len()]);
                vectorized(
                    #[inline(always)]
                    || {
                        for (row, u) in rows.chunks_mut(inputs.max(1)).zip(&u[start / inputs.max(1)..]) {
                            let along = along * u;
                            for (g, v) in row.iter_mut().zip(v) {
                                *g = (*g - along * v) * scale;
                            }
                        }
                    },
                );
            }))
        })?;
        Tensor::from_vec(for_weight, weight.shape(), weight.device())
    }
}

fn norm(x: &[f32]) -> f64 {
    dot(x, x).sqrt()
}

fn divide(x: &mut [f32], divisor: f64) {
    let factor = (1. / at_least_epsilon(divisor)) as f32;
    vectorized(
        #[inline(always)]
        || x.iter_mut().for_each(|x| *x *= factor),
    );
}

/// Not `max`: NaN stays NaN.
fn at_least_epsilon(x: f64) -> f64 {
    if x < EPSILON { EPSILON } else { x }
}
