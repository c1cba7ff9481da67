//! One fully connected layer: see [`crate::layer`], whose form on a CPU this follows.

use candle_core::{Result, Tensor};

use super::elements::code;
use super::launch::address;
use super::product::{Epilogue, Form, Gradient, is_large, product, products};
use super::workspace::output;
use crate::joint::Below;
use crate::{Activation, LayerGradients};

const NAME: &str = "linear";

/// `activation(x Wᵀ + b)`
pub(crate) fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    let out = output((x.dim(0)?, weight.dim(0)?), x)?;
    let (activation, slope) = code(activation);
    let epilogue = Epilogue { bias: address::<f32>(NAME, bias)?, activation, slope, ..Epilogue::default() };
    product(Form::Nt, x, weight, &out, epilogue)?;
    Ok(out)
}

/// `pre W`, times the slope below.
pub(crate) fn input_gradient(pre: &Tensor, weight: &Tensor, below: Below) -> Result<Tensor> {
    let out = output(below.y.shape(), pre)?;
    product(Form::Nn, pre, weight, &out, Epilogue::below(below)?)?;
    Ok(out)
}

/// `change Wᵀ`, times the slope above.
pub(crate) fn tangent(change: &Tensor, weight: &Tensor, above: Below) -> Result<Tensor> {
    let out = output(above.y.shape(), change)?;
    product(Form::Nt, change, weight, &out, Epilogue::below(above)?)?;
    Ok(out)
}

/// `preᵀ x`, and the sums of the columns of `pre`, for several layers' `(x, pre)`: together in one launch where they are small.
pub(crate) fn parameter_gradients(layers: &[(&Tensor, &Tensor)]) -> Result<Vec<LayerGradients>> {
    let mut all = Vec::with_capacity(layers.len());
    let mut together = Vec::new();
    for &(x, pre) in layers {
        let ((rows, inputs), (_, outputs)) = (x.dims2()?, pre.dims2()?);
        let (weight, bias) = (output((outputs, inputs), x)?, output(outputs, x)?);
        match is_large(Form::Tn, [outputs, inputs, rows]) {
            true => {
                let sums = address::<f32>(NAME, &bias)?;
                product(Form::Tn, pre, x, &weight, Epilogue { sums, ..Epilogue::default() })?;
            }
            false => together.push(Gradient { pre, x, weight: weight.clone(), bias: bias.clone() }),
        }
        all.push(LayerGradients { weight, bias });
    }
    products(&together)?;
    Ok(all)
}

/// Adds `preᵀ change` to `gradient`.
pub(crate) fn add_product(gradient: &Tensor, pre: &Tensor, change: &Tensor) -> Result<()> {
    product(Form::Tn, pre, change, gradient, Epilogue { accumulate: 1, ..Epilogue::default() })
}
