use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, CustomOp2, Error, Layout, Result, Shape, Tensor};

use crate::activation::Activation;
use crate::cpu::{applies, with_slices};
use crate::layer::{self, Backward};
use crate::linear::{check_shapes, linear};

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

/// A multi-layer perceptron as one operation: the `layers` applied to `x` in turn, `(B, in) -> (B, out)`.
///
/// It is what a chain of [`linear`] computes, and cheaper to differentiate: candle adds each gradient of an operation's argument into
/// a tensor of zeros, two passes over memory that this spares for all but `x`. The price is that the gradients of weights and
/// biases do not travel through candle. They are left with `parameters`, to be
/// [collected](ParameterGradients::collect) after `backward`; without `parameters` they are not computed.
///
/// Keeps the outputs of the layers for the backward pass, which nothing else can see.
///
/// # Errors
/// When there are no layers, shapes or dtypes do not fit, or devices differ.
pub fn mlp(x: &Tensor, layers: &[Layer], parameters: Option<&ParameterGradients>) -> Result<Tensor> {
    let mut width = x.dims2()?.1;
    for layer in layers {
        width = check_shapes(NAME, width, &layer.weight, &layer.bias)?;
    }
    let Some(first) = layers.first() else {
        candle_core::bail!("{NAME}: expected at least one layer")
    };
    let tensors: Vec<_> = [x]
        .into_iter()
        .chain(layers.iter().flat_map(|l| [&l.weight, &l.bias]))
        .collect();
    if !applies(&tensors) {
        return chain(x, layers, parameters.is_some());
    }
    let x = x.contiguous()?;
    let layers = layers
        .iter()
        .map(|l| {
            Ok(Layer {
                weight: l.weight.contiguous()?,
                bias: l.bias.contiguous()?,
                ..*l
            })
        })
        .collect::<Result<Vec<_>>>()?;

    let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(layers.len());
    with_slices(NAME, [&x], |[x]| {
        for Layer {
            weight,
            bias,
            activation,
        } in &layers
        {
            let inputs = weight.dim(1)?;
            let input = outputs.last().map_or(x, Vec::as_slice);
            let y = with_slices(NAME, [weight, bias], |[weight, bias]| {
                Ok(layer::forward(input, weight, bias, inputs, *activation))
            })?;
            outputs.push(y);
        }
        Ok(())
    })?;
    let y = Mutex::new(outputs.pop());

    // candle differentiates what depends on a variable. Where the parameters' gradients are wanted, the first weight is
    // named as an argument for that reason alone.
    let anchor = if parameters.is_some() {
        &first.weight
    } else {
        &first.weight.detach()
    };
    x.apply_op2(
        anchor,
        Mlp {
            layers,
            hidden: outputs,
            y,
            parameters: parameters.cloned(),
        },
    )
}

/// The same by one operation per layer, for devices and dtypes without a fused form; candle has all gradients then.
fn chain(x: &Tensor, layers: &[Layer], parameters: bool) -> Result<Tensor> {
    layers.iter().try_fold(
        x.clone(),
        |x,
         Layer {
             weight,
             bias,
             activation,
         }| match parameters {
            true => linear(&x, weight, bias, *activation),
            false => linear(&x, &weight.detach(), &bias.detach(), *activation),
        },
    )
}

/// Where [`mlp`] leaves the gradients of its weights and biases.
///
/// Several passes may leave theirs here: they are added, in the order of the passes.
#[derive(Clone, Debug, Default)]
pub struct ParameterGradients(Arc<Mutex<Vec<[Vec<f32>; 2]>>>);

impl ParameterGradients {
    /// Forgets what was left here.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Moves what was left here into candle's `store`, as the gradients of `layers`, the arguments of [`mlp`].
    ///
    /// # Errors
    /// When the layers are not those of the passes.
    pub fn collect(&self, layers: &[Layer], store: &mut GradStore) -> Result<()> {
        let gradients = std::mem::take(&mut *self.lock());
        if gradients.is_empty() {
            return Ok(());
        }
        if gradients.len() != layers.len() {
            candle_core::bail!(
                "{NAME}: gradients of {} layers for {}",
                gradients.len(),
                layers.len()
            );
        }
        for (layer, gradients) in layers.iter().zip(gradients) {
            for (tensor, gradient) in [&layer.weight, &layer.bias].into_iter().zip(gradients) {
                store.insert(
                    tensor,
                    Tensor::from_vec(gradient, tensor.shape(), tensor.device())?,
                );
            }
        }
        Ok(())
    }

    fn leave(&self, gradients: Vec<[Vec<f32>; 2]>) {
        let mut left = self.lock();
        if left.is_empty() {
            *left = gradients;
            return;
        }
        for (left, gradient) in left.iter_mut().flatten().zip(gradients.iter().flatten()) {
            for (left, gradient) in left.iter_mut().zip(gradient) {
                *left += gradient;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<[Vec<f32>; 2]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Mlp {
    layers: Vec<Layer>,
    /// The outputs of all layers but the last, each `(B, out)`.
    hidden: Vec<Vec<f32>>,
    /// The last layer's, until candle has it.
    y: Mutex<Option<Vec<f32>>>,
    parameters: Option<ParameterGradients>,
}

impl CustomOp2 for Mlp {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Hands over what was computed already: all layers, and not just the two tensors that candle lends.
    fn cpu_fwd(&self, _: &CpuStorage, x: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = self.y.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (y, self.layers.last()) {
            (Some(y), Some(last)) => Ok((
                CpuStorage::F32(y),
                Shape::from((x.dims()[0], last.bias.elem_count())),
            )),
            _ => Err(Error::msg(format!("{NAME}: the operation was applied before"))),
        }
    }

    fn bwd(
        &self,
        x: &Tensor,
        _anchor: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let parameters = self.parameters.is_some();
        let mut gradients = Vec::with_capacity(self.layers.len());
        let x_gradient = with_slices(NAME, [x, y, &grad.contiguous()?], |[x_values, y, grad]| {
            let last = self
                .layers
                .last()
                .map_or(Activation::Identity, |last| last.activation);
            let mut pre = layer::pre_activation(last, y, grad);
            for (at, layer) in self.layers.iter().enumerate().rev() {
                let (outputs, inputs) = layer.weight.dims2()?;
                // Below the first layer there is no activation, and its gradient may not be wanted.
                let (values, input) = match at.checked_sub(1) {
                    Some(below) => (self.hidden[below].as_slice(), Some(self.layers[below].activation)),
                    None => (x_values, x.track_op().then_some(Activation::Identity)),
                };
                let layer = with_slices(NAME, [&layer.weight], |[weight]| {
                    let pre = &pre;
                    Ok(Backward {
                        pre,
                        x: values,
                        weight,
                        inputs,
                        outputs,
                        parameters,
                        input,
                    }
                    .run())
                })?;
                gradients.push([layer.weight, layer.bias]);
                pre = layer.input;
            }
            Ok(pre)
        })?;
        if let Some(parameters) = &self.parameters {
            gradients.reverse();
            parameters.leave(gradients);
        }
        let x_gradient = match x.track_op() {
            true => Some(Tensor::from_vec(x_gradient, x.shape(), x.device())?),
            false => None,
        };
        Ok((x_gradient, None))
    }
}
