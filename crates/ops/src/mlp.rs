use candle_core::{Result, Tensor};

use crate::activation::Activation;
use crate::cpu::{applies, same_shape, with_slices};
use crate::joint::Joint;
use crate::linear::check_shapes;
use crate::{cuda, layer, reference};

const NAME: &str = "mlp";

/// A layer of [`mlp`]: `activation(x Wᵀ + b)`.
#[derive(Clone, Debug)]
pub struct Layer {
    /// `(out, in)`, as PyTorch's `nn.Linear` keeps it; for [`Activation::Maxout`] of k pieces `(out * k, in)`.
    pub weight: Tensor,
    /// As many as the weight has rows.
    pub bias: Tensor,
    /// Applied to each output.
    pub activation: Activation,
}

/// A multi-layer perceptron, forward: the `layers` applied to `x` in turn, `(B, in) -> (B, out)`.
///
/// It is what a chain of [`linear`](crate::linear()) computes, to the bit, with a backward pass to be called by hand. That is worth it where
/// every microsecond counts: candle's own `backward` adds each gradient of an argument into a tensor of zeros, which is
/// two more passes over the gradient of every weight and every layer's output.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ganlet_ops::{Activation, Layer, mlp};
///
/// # fn main() -> candle_core::Result<()> {
/// let weight = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
/// let bias = Tensor::zeros(2, DType::F32, &Device::Cpu)?;
/// let layers = [Layer { weight, bias, activation: Activation::Tanh }];
///
/// let pass = mlp(&Tensor::ones((5, 3), DType::F32, &Device::Cpu)?, &layers)?;
/// let loss_gradient = pass.output().ones_like()?; // of the sum of the outputs
/// let gradients = pass.parameter_gradients(&loss_gradient)?;
/// assert_eq!(gradients[0].weight.dims(), [2, 3]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When there are no layers, shapes or dtypes do not fit, or devices differ.
pub fn mlp(x: &Tensor, layers: &[Layer]) -> Result<MlpPass> {
    pass(NAME, x, layers, |_| None)
}

/// [`mlp`] with dropout: the input of layer i is first multiplied by `masks[i]`, where there is one.
///
/// A mask is `(B, in)` of its layer, of `x`'s dtype; for dropout with probability p its elements are 0 with that probability and else
/// `1 / (1 - p)` (Srivastava et al., *Dropout: a simple way to prevent neural networks from overfitting*, JMLR 2014, section 10). Every
/// gradient of the pass is that of the masked network.
///
/// # Errors
/// As for [`mlp`], and when there is not one entry for each layer, or a mask does not fit.
pub fn mlp_with_dropout(x: &Tensor, layers: &[Layer], masks: &[Option<Tensor>]) -> Result<MlpPass> {
    const NAME: &str = "mlp_with_dropout";
    if masks.len() != layers.len() {
        candle_core::bail!(
            "{NAME}: expected a mask or `None` for each of {} layers, found {}",
            layers.len(),
            masks.len()
        );
    }
    pass(NAME, x, layers, |at| masks.get(at)?.as_ref())
}

fn pass<'a>(
    op: &'static str,
    x: &Tensor,
    layers: &[Layer],
    mask: impl Fn(usize) -> Option<&'a Tensor>,
) -> Result<MlpPass> {
    let mut width = x.dims2()?.1;
    for layer in layers {
        width = check_shapes(op, width, &layer.weight, &layer.bias, layer.activation)?;
    }
    if layers.is_empty() {
        candle_core::bail!("{op}: expected at least one layer");
    }
    // Detached: nothing here is candle's to differentiate.
    let layers = layers
        .iter()
        .map(|l| Ok(Layer { weight: l.weight.contiguous()?.detach(), bias: l.bias.detach(), ..*l }))
        .collect::<Result<Vec<_>>>()?;
    let mut joints = Vec::with_capacity(layers.len() + 1);
    joints.push(Joint::first(op, x.contiguous()?.detach(), mask(0))?);
    for (at, layer) in layers.iter().enumerate() {
        joints.push(Joint::above(op, layer, &joints[at].x, mask(at + 1))?);
    }
    Ok(MlpPass { layers, joints })
}

/// A pass through [`mlp`], with all that its gradients need: the input and each layer's output.
///
/// The weights are not copied: a gradient is that at the weights as they are when it is asked for.
#[derive(Clone, Debug)]
pub struct MlpPass {
    pub(crate) layers: Vec<Layer>,
    /// Below, between and above the layers: one more than there are of these.
    pub(crate) joints: Vec<Joint>,
}

/// The gradients of a [`Layer`]'s parameters, each in its parameter's shape.
#[derive(Clone, Debug)]
pub struct LayerGradients {
    /// `(out, in)`
    pub weight: Tensor,
    /// `(out,)`
    pub bias: Tensor,
}

impl MlpPass {
    /// The last layer's output, `(B, out)`. candle takes it for a constant.
    pub fn output(&self) -> &Tensor {
        &self.joints[self.layers.len()].x
    }

    /// The pass of `count` rows of the input, from row `first` on, as if they had passed alone. Nothing is copied.
    ///
    /// # Errors
    /// When there are not so many rows.
    pub fn rows(&self, first: usize, count: usize) -> Result<Self> {
        let joints = self.joints.iter().map(|joint| joint.rows(first, count)).collect::<Result<_>>()?;
        Ok(Self { layers: self.layers.clone(), joints })
    }

    /// The gradients of a loss for the parameters, layer by layer, from its gradient for the output `(B, out)`.
    ///
    /// # Errors
    /// When `gradient` does not have the output's shape.
    pub fn parameter_gradients(&self, gradient: &Tensor) -> Result<Vec<LayerGradients>> {
        let mut pre = self.before_last_activation(gradient)?;
        if cuda::applies(&[&pre, &self.joints[0].x]) {
            return self.parameter_gradients_together(pre);
        }
        let mut gradients = Vec::with_capacity(self.layers.len());
        for (at, layer) in self.layers.iter().enumerate().rev() {
            // Nobody asks for the gradient of the input.
            let below = (at > 0).then(|| self.joints[at].backward_through(layer, &pre)).transpose()?;
            gradients.push(layer.parameter_gradients(&self.joints[at].x, &pre)?);
            pre = below.unwrap_or(pre);
        }
        gradients.reverse();
        Ok(gradients)
    }

    /// The same on a GPU: first the way down, then all layers' gradients at once.
    fn parameter_gradients_together(&self, last: Tensor) -> Result<Vec<LayerGradients>> {
        let mut pre = vec![last];
        for (layer, joint) in self.layers.iter().zip(&self.joints).skip(1).rev() {
            pre.push(joint.backward_through(layer, &pre[pre.len() - 1])?);
        }
        let inputs = self.joints.iter().map(|joint| &joint.x);
        cuda::parameter_gradients(&inputs.zip(pre.iter().rev()).collect::<Vec<_>>())
    }

    /// The gradient of a loss for the input, `(B, in)`, from that for the output `(B, out)`. No time is spent on the parameters'.
    ///
    /// # Errors
    /// When `gradient` does not have the output's shape.
    pub fn input_gradient(&self, gradient: &Tensor) -> Result<Tensor> {
        let pre = self.before_last_activation(gradient)?;
        let mut down = self.layers.iter().zip(&self.joints).rev();
        down.try_fold(pre, |pre, (layer, joint)| joint.backward_through(layer, &pre))
    }

    /// From a gradient for the output, that before the last layer's activation.
    pub(crate) fn before_last_activation(&self, gradient: &Tensor) -> Result<Tensor> {
        same_shape(NAME, self.output(), gradient)?;
        self.joints[self.layers.len()].backward(&gradient.contiguous()?)
    }
}

impl Layer {
    /// The gradients of the parameters, from the layer's input `(B, in)` and the gradient `pre` before its activation.
    fn parameter_gradients(&self, x: &Tensor, pre: &Tensor) -> Result<LayerGradients> {
        if !applies(&[x, pre, &self.weight]) {
            return reference::parameter_gradients(x, pre);
        }
        let (outputs, inputs) = self.weight.dims2()?;
        let (weight, bias) =
            with_slices(NAME, [x, pre], |[x, pre]| Ok(layer::parameter_gradients(pre, x, inputs, outputs)))?;
        Ok(LayerGradients {
            weight: Tensor::from_vec(weight, (outputs, inputs), x.device())?,
            bias: Tensor::from_vec(bias, outputs, x.device())?,
        })
    }
}
