use candle_core::{Result, Tensor};

use crate::cpu::{applies, distinct_memory, with_slice_mut, with_slices};
use crate::matmul::matmul_add;
use crate::matrix::Mat;
use crate::mlp::{LayerGradients, MlpPass};
use crate::{cuda, reference};

const NAME: &str = "input_gradient_pass";

/// The gradient of an [`MlpPass`] for its input, with all that it takes to differentiate it again: [`MlpPass::input_gradient_pass`].
#[derive(Clone, Debug)]
pub struct InputGradientPass {
    pass: MlpPass,
    /// The gradient before the activation of each layer, `(B, out)`.
    pre: Vec<Tensor>,
    gradient: Tensor,
}

impl MlpPass {
    /// The gradient of `sum(seed * output)` for the input, as by [`MlpPass::input_gradient`], kept to be differentiated for the weights.
    ///
    /// With a `seed` `(B, out)` of ones it is each row's own gradient of the outputs' sum, as penalties on the slope of a critic want it.
    ///
    /// # Errors
    /// When `seed` does not have the output's shape, or an activation is not piecewise linear: the gradient of a network with a tanh or
    /// a sigmoid depends on its weights through their second derivatives as well, which are not computed here.
    pub fn input_gradient_pass(&self, seed: &Tensor) -> Result<InputGradientPass> {
        if let Some(joint) = self.joints.iter().find(|joint| !joint.activation.is_piecewise_linear()) {
            candle_core::bail!(
                "{NAME}: expected layers with piecewise-linear activations (Identity, LeakyRelu, Maxout), whose second derivative is 0, found {:?}",
                joint.activation
            );
        }
        let mut gradient = self.before_last_activation(seed)?;
        let mut pre = Vec::with_capacity(self.layers.len());
        for (layer, joint) in self.layers.iter().zip(&self.joints).rev() {
            let below = joint.backward_through(layer, &gradient)?;
            pre.push(std::mem::replace(&mut gradient, below));
        }
        pre.reverse();
        Ok(InputGradientPass { pass: self.clone(), pre, gradient })
    }
}

impl InputGradientPass {
    /// The gradient for the input, `(B, in)`. candle takes it for a constant.
    pub fn gradient(&self) -> &Tensor {
        &self.gradient
    }

    /// Adds to `gradients`, in place, those of `sum(tangent * gradient())` for the weights, `tangent` `(B, in)` being a constant.
    ///
    /// So the gradient for the weights of any function of [`InputGradientPass::gradient`] is added, `tangent` being that function's
    /// gradient for it: for `gamma / 2` times the mean of |g|² (R1; Mescheder et al., *Which training methods for GANs do actually
    /// converge?*, ICML 2018, equation 9) it is `gamma / B * g`; for `lambda` times the mean of (|g| - 1)² (Gulrajani et al., *Improved training
    /// of Wasserstein GANs*, NIPS 2017, equation 3), `2 lambda / B * (|g| - 1) / |g| * g`. (The first needs no pass over g for its factor: with a
    /// seed of `sqrt(gamma / B)` it is |g|² / 2, and the tangent is g.) Biases do not matter to it: they only move the kinks.
    ///
    /// Going up, `tangent` is carried through the layers as a change of the input would be; the gradient for a weight is the product of what arrives
    /// below it and the gradient that was before its activation. Nothing is computed a second time.
    ///
    /// # Errors
    /// When `tangent` does not have the input's shape, or `gradients` are not those of the pass's layers; they may then be changed in part.
    pub fn add_parameter_gradients(&self, tangent: &Tensor, gradients: &mut [LayerGradients]) -> Result<()> {
        let MlpPass { layers, joints } = &self.pass;
        if tangent.shape() != self.gradient.shape() {
            candle_core::bail!(
                "{NAME}: expected a tangent of the input's shape {:?}, found {:?}",
                self.gradient.shape(),
                tangent.shape()
            );
        }
        if gradients.len() != layers.len() {
            candle_core::bail!(
                "{NAME}: expected the gradients of {} layers, found {}",
                layers.len(),
                gradients.len()
            );
        }
        let mut change = joints[0].masked(&tangent.contiguous()?)?;
        for (at, (layer, gradients)) in layers.iter().zip(gradients).enumerate() {
            if gradients.weight.shape() != layer.weight.shape() {
                candle_core::bail!(
                    "{NAME}: for a weight {:?} expected a gradient of the same shape, found {:?}",
                    layer.weight.shape(),
                    gradients.weight.shape()
                );
            }
            add_product(&mut gradients.weight, &self.pre[at], &change)?;
            if at + 1 < layers.len() {
                change = joints[at + 1].forward_through(layer, &change)?;
            }
        }
        Ok(())
    }
}

/// Adds `preᵀ change` to `gradient`: `(B, out), (B, in) -> (out, in)`.
fn add_product(gradient: &mut Tensor, pre: &Tensor, change: &Tensor) -> Result<()> {
    let on_gpu = cuda::applies(&[gradient, pre, change]);
    if !on_gpu && !applies(&[gradient, pre, change]) {
        *gradient = reference::add_product(gradient, pre, change)?;
        return Ok(());
    }
    if ![pre, change].iter().all(|other| distinct_memory(&[gradient, other])) {
        candle_core::bail!(
            "{NAME}: a gradient to be added to must not share the memory of the seed or the tangent"
        );
    }
    if on_gpu {
        return cuda::add_product(gradient, pre, change);
    }
    let (outputs, inputs) = gradient.dims2()?;
    with_slices(NAME, [pre, change], |[pre, change]| {
        with_slice_mut(NAME, gradient, |gradient| {
            matmul_add(Mat::new(pre, outputs).transposed(), Mat::new(change, inputs), gradient);
            Ok(())
        })
    })
}
