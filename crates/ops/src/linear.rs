use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use crate::activation::Activation;
use crate::cpu::{applies, slice, with_slices};
use crate::layer::{self, Slope};
use crate::{cuda, maxout, reference};

const NAME: &str = "linear";

/// A fully connected layer with its activation: `activation(x Wᵀ + b)`.
///
/// `x` is `(B, in)`, `weight` `(out, in)` as PyTorch's `nn.Linear` keeps it, `bias` `(out,)`; the result is `(B, out)`. (With
/// [`Activation::Maxout`] of k pieces, `weight` is `(out * k, in)` and `bias` `(out * k,)`.)
/// On a CPU in f32 the bias and the activation are applied to the product while it is in the cache. The backward pass
/// keeps nothing beyond the arguments and the result, and computes only those gradients that an argument asks for: pass
/// detached weights and theirs cost nothing. On a GPU the same holds of the forward pass, where nothing asks for a gradient: what does is
/// computed in candle's own operations. ([`mlp`](fn@crate::mlp) has its gradients fused there too.)
///
/// # Errors
/// When a rank is not as above, the sizes or dtypes do not fit, or devices differ.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    check_shapes(NAME, x.dims2()?.1, weight, bias, activation)?;
    if let Activation::Maxout(pieces) = activation {
        let z = linear(x, weight, bias, Activation::Identity)?;
        return maxout::select(&z, &maxout::winners(&z.detach(), pieces)?);
    }
    if cuda::applies(&[x, weight, bias]) && ![x, weight, bias].iter().any(|t| t.track_op()) {
        return cuda::linear(&x.contiguous()?, &weight.contiguous()?, &bias.contiguous()?, activation);
    }
    if !applies(&[x, weight, bias]) {
        return reference::linear(x, weight, bias, activation);
    }
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Linear { activation })
}

/// Checks `weight (out, inputs)`, `bias (out,)` and the activation, and gives the number of units, which with a maxout are fewer than `out`.
pub(crate) fn check_shapes(
    op: &str,
    inputs: usize,
    weight: &Tensor,
    bias: &Tensor,
    activation: Activation,
) -> Result<usize> {
    activation.check(op)?;
    let (outputs, expected) = weight.dims2()?;
    if inputs != expected || inputs == 0 || bias.dims() != [outputs] {
        candle_core::bail!(
            "{op}: for an input of {inputs} columns expected a weight (out, {inputs}), of at least one column, and a bias (out,), found {:?} and {:?}",
            weight.shape(),
            bias.shape()
        );
    }
    let pieces = activation.pieces();
    if !outputs.is_multiple_of(pieces) {
        candle_core::bail!(
            "{op}: for a maxout of {pieces} pieces expected a weight whose rows are a multiple of {pieces}, found {:?}",
            weight.shape()
        );
    }
    Ok(outputs / pieces)
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
            let slope = |activation, y, width| Slope { activation, y, mask: None, width };
            let pre = &slope(self.activation, y, outputs).times(grad);
            // The gradient is that for `x`: no activation is below.
            let below = slope(Activation::Identity, x, inputs);
            Ok((
                input.then(|| layer::input_gradient(pre, weight, outputs, below)),
                parameters.then(|| layer::parameter_gradients(pre, x, inputs, outputs)),
            ))
        })?;
        let tensor = |values: Option<Vec<f32>>, like: &Tensor| match values {
            Some(values) if like.track_op() => {
                Tensor::from_vec(values, like.shape(), like.device()).map(Some)
            }
            _ => Ok(None),
        };
        let (input, parameters) = gradients;
        let (for_weight, for_bias) = parameters.unzip();
        Ok((tensor(input, x)?, tensor(for_weight, weight)?, tensor(for_bias, bias)?))
    }
}
