use candle_core::{CpuStorage, CustomOp3, Error, Layout, Result, Shape, Tensor};

use crate::activation::Activation;
use crate::cpu::{applies, slice, vectorized, with_slices};
use crate::matmul::{Mat, matmul};
use crate::reference;

const NAME: &str = "linear";

/// A fully connected layer with its activation: `activation(x Wᵀ + b)`.
///
/// `x` is `(B, in)`, `weight` `(out, in)` as PyTorch's `nn.Linear` keeps it, `bias` `(out,)`; the result is `(B, out)`.
/// On a CPU in f32 the bias and the activation are applied to the product while it is in the cache. The backward pass keeps nothing
/// beyond the arguments and the result, and computes only those gradients that an argument asks for: pass detached weights and
/// theirs cost nothing.
///
/// # Errors
/// When a rank is not as above, the sizes or dtypes do not fit, or devices differ.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    let (_, inputs) = x.dims2()?;
    let (outputs, expected) = weight.dims2()?;
    if inputs != expected || bias.dims() != [outputs] {
        return Err(Error::msg(format!(
            "{NAME}: x is {:?}, so the weight should be (out, {inputs}) and the bias (out,); found {:?} and {:?}",
            x.shape(),
            weight.shape(),
            bias.shape()
        )));
    }
    if !applies(&[x, weight, bias]) {
        return reference::linear(x, weight, bias, activation);
    }
    x.contiguous()?
        .apply_op3(&weight.contiguous()?, &bias.contiguous()?, Linear { activation })
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
        let (batch, _) = x_layout.shape().dims2()?;
        let (outputs, _) = weight_layout.shape().dims2()?;
        let x = matrix(slice(NAME, x, x_layout)?, x_layout.shape())?;
        let weight = matrix(slice(NAME, weight, weight_layout)?, weight_layout.shape())?;
        let bias: &[f32] = slice(NAME, bias, bias_layout)?;
        let activation = self.activation;
        let y = matmul(
            x,
            weight.transposed(),
            #[inline(always)]
            |_, from, row| activation.apply(row, &bias[from..from + row.len()]),
        );
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
        let grad = grad.contiguous()?;
        let (pre, bias_grad) = with_slices(NAME, [y, &grad], |[y, grad]| {
            pre_activation_gradient(self.activation, y, grad, bias.elem_count())
        })?;
        let pre_shape = y.shape();
        let x_grad = if x.track_op() {
            let grad = with_slices(NAME, [weight], |[w]| {
                Ok(matmul(
                    matrix(&pre, pre_shape)?,
                    matrix(w, weight.shape())?,
                    |_, _, _| {},
                ))
            })?;
            Some(Tensor::from_vec(grad, x.shape(), x.device())?)
        } else {
            None
        };
        let weight_grad = if weight.track_op() {
            let grad = with_slices(NAME, [x], |[xs]| {
                Ok(matmul(
                    matrix(&pre, pre_shape)?.transposed(),
                    matrix(xs, x.shape())?,
                    |_, _, _| {},
                ))
            })?;
            Some(Tensor::from_vec(grad, weight.shape(), weight.device())?)
        } else {
            None
        };
        let bias_grad = if bias.track_op() {
            Some(Tensor::from_vec(bias_grad, bias.shape(), bias.device())?)
        } else {
            None
        };
        Ok((x_grad, weight_grad, bias_grad))
    }
}

/// The gradient before the activation `(B, out)`, and its sum over the batch `(out,)`: the bias's gradient.
fn pre_activation_gradient(
    activation: Activation,
    y: &[f32],
    grad: &[f32],
    outputs: usize,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let mut pre = vec![0.; y.len()];
    let mut sum = vec![0.; outputs];
    let width = outputs.max(1);
    vectorized(
        #[inline(always)]
        || {
            for ((pre, y), grad) in pre
                .chunks_exact_mut(width)
                .zip(y.chunks_exact(width))
                .zip(grad.chunks_exact(width))
            {
                activation.backward(y, grad, pre);
                for (sum, pre) in sum.iter_mut().zip(pre) {
                    *sum += *pre;
                }
            }
        },
    );
    Ok((pre, sum))
}

fn matrix<'a>(data: &'a [f32], shape: &Shape) -> Result<Mat<'a>> {
    let (rows, cols) = shape.dims2()?;
    Mat::new(data, rows, cols)
        .ok_or_else(|| Error::msg(format!("{NAME}: {} values as {shape:?}", data.len())))
}
