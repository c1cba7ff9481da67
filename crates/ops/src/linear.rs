use candle_core::{CpuStorage, CustomOp3, Error, Layout, Result, Shape, Tensor};

use crate::activation::Activation;
use crate::cpu::{applies, slice, with_slices};
use crate::layer::{self, Backward};
use crate::reference;

const NAME: &str = "linear";

/// A fully connected layer with its activation: `activation(x Wᵀ + b)`.
///
/// `x` is `(B, in)`, `weight` `(out, in)` as PyTorch's `nn.Linear` keeps it, `bias` `(out,)`; the result is `(B, out)`.
/// On a CPU in f32 the bias and the activation are applied to the product while it is in the cache. The backward pass
/// keeps nothing beyond the arguments and the result, and computes only those gradients that an argument asks for: pass
/// detached weights and theirs cost nothing.
///
/// # Errors
/// When a rank is not as above, the sizes or dtypes do not fit, or devices differ.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    check_shapes(NAME, x.dims2()?.1, weight, bias)?;
    activation.check(NAME)?;
    if !applies(&[x, weight, bias]) {
        return reference::linear(x, weight, bias, activation);
    }
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Linear { activation })
}

/// Checks `weight (out, inputs)` and `bias (out,)`, and gives `out`.
pub(crate) fn check_shapes(op: &str, inputs: usize, weight: &Tensor, bias: &Tensor) -> Result<usize> {
    let (outputs, expected) = weight.dims2()?;
    if inputs == expected && inputs > 0 && bias.dims() == [outputs] {
        return Ok(outputs);
    }
    Err(Error::msg(format!(
        "{op}: for an input of {inputs} columns expected a weight (out, {inputs}), of at least one column, and a bias (out,), found {:?} and {:?}",
        weight.shape(),
        bias.shape()
    )))
}

struct Linear {
    activation: Activation,
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (batch, inputs) = x_layout.shape().dims2()?;
        let outputs = bias_layout.shape().dims1()?;
        let x = slice(NAME, x, x_layout)?;
        let weight = slice(NAME, weight, weight_layout)?;
        let bias = slice(NAME, bias, bias_layout)?;
        let y = layer::forward(x, weight, bias, inputs, self.activation);
        Ok((CpuStorage::F32(y), Shape::from((batch, outputs))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (outputs, inputs) = weight.dims2()?;
        let input = x.track_op();
        let parameters = weight.track_op() || bias.track_op();
        let gradients = with_slices(NAME, [x, weight, y, &grad.contiguous()?], |[x, weight, y, grad]| {
            let pre = &layer::pre_activation(self.activation, y, grad);
            let input = input.then_some(Activation::Identity);
            Ok(Backward { pre, x, weight, inputs, outputs, parameters, input }.run())
        })?;
        let tensor = |wanted, values, like: &Tensor| match wanted {
            true => Tensor::from_vec(values, like.shape(), like.device()).map(Some),
            false => Ok(None),
        };
        Ok((
            tensor(input, gradients.input, x)?,
            tensor(weight.track_op(), gradients.weight, weight)?,
            tensor(bias.track_op(), gradients.bias, bias)?,
        ))
    }
}
