use candle_core::{Result, Tensor};

use crate::activation::Activation;
use crate::cpu::{applies, same_shape, with_slices};
use crate::layer::{self, Backward};
use crate::linear::{check_shapes, linear};
use crate::reference;

const NAME: &str = "mlp";

/// A layer of [`mlp`]: `activation(x Wᵀ + b)`.
#[derive(Clone, Debug)]
pub struct Layer {
    /// `(out, in)`, as PyTorch's `nn.Linear` keeps it.
    pub weight: Tensor,
    /// `(out,)`
    pub bias: Tensor,
    /// Applied to each output.
    pub activation: Activation,
}

/// A multi-layer perceptron, forward: the `layers` applied to `x` in turn, `(B, in) -> (B, out)`.
///
/// It is what a chain of [`linear`] computes, to the bit, with a backward pass to be called by hand. That is worth it where
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
    let mut width = x.dims2()?.1;
    for layer in layers {
        width = check_shapes(NAME, width, &layer.weight, &layer.bias)?;
        layer.activation.check(NAME)?;
    }
    if layers.is_empty() {
        candle_core::bail!("{NAME}: expected at least one layer");
    }
    // Detached: nothing here is candle's to differentiate.
    let layers = layers
        .iter()
        .map(|l| Ok(Layer { weight: l.weight.contiguous()?.detach(), bias: l.bias.detach(), ..*l }))
        .collect::<Result<Vec<_>>>()?;
    let mut values = Vec::with_capacity(layers.len() + 1);
    values.push(x.contiguous()?.detach());
    for (at, Layer { weight, bias, activation }) in layers.iter().enumerate() {
        values.push(linear(&values[at], weight, bias, *activation)?);
    }
    Ok(MlpPass { layers, values })
}

/// A pass through [`mlp`], with all that its gradients need: the input and each layer's output.
///
/// The weights are not copied: a gradient is that at the weights as they are when it is asked for.
#[derive(Clone, Debug)]
pub struct MlpPass {
    layers: Vec<Layer>,
    /// The input, then the output of each layer; each `(B, width)`.
    values: Vec<Tensor>,
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
        &self.values[self.layers.len()]
    }

    /// The pass of `count` rows of the input, from row `first` on, as if they had passed alone. Nothing is copied.
    ///
    /// # Errors
    /// When there are not so many rows.
    pub fn rows(&self, first: usize, count: usize) -> Result<Self> {
        let values = self.values.iter().map(|v| v.narrow(0, first, count)).collect::<Result<_>>()?;
        Ok(Self { layers: self.layers.clone(), values })
    }

    /// The gradients of a loss for the parameters, layer by layer, from its gradient for the output `(B, out)`.
    ///
    /// # Errors
    /// When `gradient` does not have the output's shape.
    pub fn parameter_gradients(&self, gradient: &Tensor) -> Result<Vec<LayerGradients>> {
        let mut gradients = Vec::with_capacity(self.layers.len());
        self.backward(gradient, Some(&mut gradients))?;
        gradients.reverse();
        Ok(gradients)
    }

    /// The gradient of a loss for the input, `(B, in)`, from that for the output `(B, out)`. No time is spent on the parameters'.
    ///
    /// # Errors
    /// When `gradient` does not have the output's shape.
    pub fn input_gradient(&self, gradient: &Tensor) -> Result<Tensor> {
        self.backward(gradient, None)
    }

    /// From the last layer to the first: leaves the layers' gradients in `parameters`, or else returns the input's.
    fn backward(
        &self,
        gradient: &Tensor,
        mut parameters: Option<&mut Vec<LayerGradients>>,
    ) -> Result<Tensor> {
        same_shape(NAME, self.output(), gradient)?;
        let last = self.layers.len() - 1;
        let mut pre = pre_activation(self.layers[last].activation, self.output(), &gradient.contiguous()?)?;
        for (at, layer) in self.layers.iter().enumerate().rev() {
            // Below the first layer there is no activation, and its gradient is not always wanted.
            let input = match at.checked_sub(1) {
                Some(below) => Some(self.layers[below].activation),
                None => parameters.is_none().then_some(Activation::Identity),
            };
            let (below, gradients) = layer.backward(&self.values[at], &pre, input, parameters.is_some())?;
            if let (Some(all), Some(gradients)) = (&mut parameters, gradients) {
                all.push(gradients);
            }
            if let Some(below) = below {
                pre = below;
            }
        }
        Ok(pre)
    }
}

impl Layer {
    /// From the gradient `pre` before the activation `(B, out)`: that before the activation `input` that made `x`, and those of
    /// the parameters, each if it is wanted.
    fn backward(
        &self,
        x: &Tensor,
        pre: &Tensor,
        input: Option<Activation>,
        parameters: bool,
    ) -> Result<(Option<Tensor>, Option<LayerGradients>)> {
        if !applies(&[x, pre, &self.weight]) {
            return reference::layer_backward(self, x, pre, input, parameters);
        }
        let (outputs, inputs) = self.weight.dims2()?;
        let gradients = with_slices(NAME, [x, pre, &self.weight], |[x, pre, weight]| {
            Ok(Backward { pre, x, weight, inputs, outputs, parameters, input }.run())
        })?;
        let device = x.device();
        let input = match input {
            Some(_) => Some(Tensor::from_vec(gradients.input, x.shape(), device)?),
            None => None,
        };
        let parameters = match parameters {
            true => Some(LayerGradients {
                weight: Tensor::from_vec(gradients.weight, (outputs, inputs), device)?,
                bias: Tensor::from_vec(gradients.bias, outputs, device)?,
            }),
            false => None,
        };
        Ok((input, parameters))
    }
}

fn pre_activation(activation: Activation, y: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    if activation == Activation::Identity {
        return Ok(gradient.clone());
    }
    if !applies(&[y, gradient]) {
        return reference::pre_activation(activation, y, gradient);
    }
    let pre =
        with_slices(NAME, [y, gradient], |[y, gradient]| Ok(layer::pre_activation(activation, y, gradient)))?;
    Tensor::from_vec(pre, y.shape(), y.device())
}
