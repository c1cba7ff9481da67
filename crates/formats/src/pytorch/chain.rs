//! A state dict as a chain of fully connected layers.

use candle_core::Tensor;

use super::{Error, Result};

/// A fully connected layer.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `(out, in)`
    pub weight: Tensor,
    /// `(out,)`
    pub bias: Tensor,
}

/// The fully connected layers of a state dict, from input to output: at least one, each taking what the one before it gives.
///
/// What the layers are called does not matter, nor does what stands before their names (`module.`, `net.0.`): a layer is a `weight` and a
/// `bias` of one name, and layers are in the order of the file, which is that in which the module lists them.
///
/// # Errors
/// When a tensor is of no such layer, or they do not make a chain.
pub fn linear_layers(tensors: Vec<(String, Tensor)>) -> Result<Vec<Linear>> {
    let mut halves: Vec<(String, [Option<Tensor>; 2])> = Vec::new();
    for (name, tensor) in tensors {
        let (layer, kind) = name.rsplit_once('.').unwrap_or(("", &name));
        let (half, rank) = match kind {
            "weight" => (0, 2),
            "bias" => (1, 1),
            _ => (0, 0),
        };
        if tensor.rank() != rank || rank == 0 {
            return Err(Error::NotLinear { shape: tensor.dims().to_vec(), tensor: name });
        }
        // A weight and its bias follow each other.
        match halves.last_mut() {
            Some((last, both)) if last == layer => both[half] = Some(tensor),
            _ => {
                let mut both = [None, None];
                both[half] = Some(tensor);
                halves.push((layer.to_owned(), both));
            }
        }
    }
    if halves.is_empty() {
        return Err(Error::NoTensors { dictionaries: Vec::new() });
    }

    let mut layers: Vec<Linear> = Vec::new();
    for (layer, [weight, bias]) in halves {
        let half = |missing| Error::Half { layer: layer.clone(), missing };
        let (weight, bias) = (weight.ok_or_else(|| half("weight"))?, bias.ok_or_else(|| half("bias"))?);
        let (outputs, inputs) = weight.dims2()?;
        let given = layers.last().map_or(Ok(inputs), |before| before.bias.dims1())?;
        for (kind, tensor, expected) in
            [("weight", &weight, vec![outputs, given]), ("bias", &bias, vec![outputs])]
        {
            if tensor.dims() != expected {
                let (tensor, found) = (format!("{layer}.{kind}"), tensor.dims().to_vec());
                return Err(Error::Shape { tensor, expected, found });
            }
        }
        layers.push(Linear { weight, bias });
    }
    Ok(layers)
}
