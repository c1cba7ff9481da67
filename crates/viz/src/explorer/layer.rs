use serde::Serialize;

use super::Generator;
use crate::{Error, Result};

/// A fully connected layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// `(rows, inputs)`, row by row.
    pub weight: Vec<f32>,
    /// `(rows,)`
    pub bias: Vec<f32>,
    /// What is applied to `weight * input + bias`.
    pub activation: DenseActivation,
}

/// What a layer applies to its rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "value")]
pub enum DenseActivation {
    /// `x`
    Identity,
    /// `x` where positive, else this times `x`; with 0, ReLU.
    LeakyRelu(f32),
    /// The hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// The largest of so many rows, one after the other: there are as many times fewer outputs.
    Maxout(usize),
}

impl Dense {
    pub(super) fn inputs(&self) -> usize {
        self.weight.len().checked_div(self.bias.len()).unwrap_or(0)
    }
}

/// Checks that the layers lead from latents and classes to the pixels of an image.
pub(super) fn check(generator: &Generator) -> Result<()> {
    let mut width = generator.latent.saturating_add(generator.classes);
    for (layer, Dense { weight, bias, activation }) in generator.layers.iter().enumerate() {
        let pieces = if let DenseActivation::Maxout(pieces) = *activation { pieces } else { 1 };
        let fits = width > 0 && bias.len().checked_mul(width) == Some(weight.len());
        if bias.is_empty() || !fits || pieces == 0 || !bias.len().is_multiple_of(pieces) {
            return Err(Error::Layer { layer, weights: weight.len(), biases: bias.len(), inputs: width });
        }
        width = bias.len() / pieces;
    }
    let expected = generator.image[0].saturating_mul(generator.image[1]);
    match width == expected && !generator.layers.is_empty() {
        true => Ok(()),
        false => Err(Error::Pixels { expected, found: width }),
    }
}

/// One input through the layers, as plainly as the page's script does it.
pub(super) fn pass(layers: &[Dense], input: &[f32]) -> Vec<f32> {
    layers.iter().fold(input.to_vec(), |input, layer| {
        let rows = layer.weight.chunks_exact(input.len()).zip(&layer.bias);
        let sums = rows.map(|(row, bias)| row.iter().zip(&input).fold(*bias, |sum, (w, x)| sum + w * x));
        match layer.activation {
            DenseActivation::Identity => sums.collect(),
            DenseActivation::LeakyRelu(slope) => sums.map(|x| if x > 0. { x } else { slope * x }).collect(),
            DenseActivation::Tanh => sums.map(f32::tanh).collect(),
            DenseActivation::Sigmoid => sums.map(|x| 1. / (1. + (-x).exp())).collect(),
            DenseActivation::Maxout(pieces) => {
                let sums: Vec<f32> = sums.collect();
                sums.chunks(pieces)
                    .map(|pieces| pieces.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b)))
                    .collect()
            }
        }
    })
}
