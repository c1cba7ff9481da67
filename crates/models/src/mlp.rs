use candle_core::{Device, Tensor, Var};
use ganlet_ops::{Activation, Layer, MlpPass, mlp};
use ganlet_random::Stream;

use crate::{Error, Result};

/// The slope of the LeakyReLU between the layers, for negative inputs.
pub const LEAKY_SLOPE: f32 = 0.2;

/// The most weights that a network may have: 4 GiB of f32.
const MAX_PARAMETERS: usize = 1 << 30;

/// What the initial weights are drawn from: [`Stream`]s of this domain.
const INITIAL_WEIGHTS: u32 = 0x494e_4954;

/// The shape of a multi-layer perceptron.
#[derive(Clone, Debug, PartialEq)]
pub struct MlpConfig {
    /// The widths from input to output; `n + 1` of them make `n` layers.
    pub widths: Vec<usize>,
    /// What is applied to the last layer; LeakyReLU with [`LEAKY_SLOPE`] is to the others.
    pub output: Activation,
}

impl MlpConfig {
    /// `input`, the hidden widths, `output`.
    pub(crate) fn new(input: usize, hidden: &[usize], output: usize, activation: Activation) -> Self {
        let widths = std::iter::once(input).chain(hidden.iter().copied()).chain([output]).collect();
        Self { widths, output: activation }
    }

    /// The parameters' names and shapes: `0.weight (out, in)`, `0.bias (out,)`, `2.weight`, ... as PyTorch's `nn.Sequential`
    /// numbers them, an activation taking a number of its own.
    pub fn parameters(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        self.widths.windows(2).enumerate().flat_map(|(layer, pair)| {
            let [weight, bias] = ["weight", "bias"].map(|kind| format!("{}.{kind}", 2 * layer));
            [(weight, vec![pair[1], pair[0]]), (bias, vec![pair[1]])]
        })
    }

    /// Checks that there is a layer and that each has inputs, outputs, and no more weights than can be held.
    pub(crate) fn validate(&self) -> Result<()> {
        if self.widths.len() < 2 || self.widths.contains(&0) {
            return Err(Error::ZeroWidth { widths: self.widths.clone() });
        }
        let total = self.parameters().try_fold(0usize, |total, (_, shape)| {
            total.checked_add(shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))?)
        });
        if total.is_none_or(|total| total > MAX_PARAMETERS) {
            return Err(Error::TooLarge { widths: self.widths.clone(), limit: MAX_PARAMETERS });
        }
        Ok(())
    }
}

/// A multi-layer perceptron: fully connected layers with LeakyReLU between them, as one operation ([`mlp`](fn@mlp)).
#[derive(Clone, Debug)]
pub struct Mlp {
    config: MlpConfig,
    /// Weight and bias of each layer in turn, named as by PyTorch's `nn.Sequential`.
    parameters: Vec<(String, Var)>,
    /// The same, as the operation takes them.
    layers: Vec<Layer>,
}

impl Mlp {
    /// Draws the weights as PyTorch's `nn.Linear` does: weights and biases uniform in `±1/sqrt(in)`.
    ///
    /// (Its `kaiming_uniform_(a=sqrt(5))` comes to that bound; `torch/nn/modules/linear.py`, `reset_parameters`.) The numbers are a
    /// function of `seed`, of which `network` this is, and of the parameter.
    pub(crate) fn new(config: MlpConfig, seed: u64, network: u32, device: &Device) -> Result<Self> {
        config.validate()?;
        let mut inputs = 1;
        let parameters = config
            .parameters()
            .enumerate()
            .map(|(at, (name, shape))| {
                // A bias follows its weight, and is drawn from the same range.
                inputs = shape.get(1).copied().unwrap_or(inputs);
                let bound = 1. / (inputs as f32).sqrt();
                let mut stream = Stream::new(seed, INITIAL_WEIGHTS, u64::from(network) << 32 | at as u64);
                let count = shape.iter().product();
                let values: Vec<f32> = (0..count).map(|_| stream.uniform_in(-bound, bound)).collect();
                Ok((name, Var::from_vec(values, shape, device)?))
            })
            .collect::<Result<_>>()?;
        Ok(Self::from_parameters(config, parameters))
    }

    /// From parameters in the order and the shapes of [`MlpConfig::parameters`].
    pub(crate) fn from_parameters(config: MlpConfig, parameters: Vec<(String, Var)>) -> Self {
        let last = parameters.len() / 2;
        let layers = parameters
            .chunks_exact(2)
            .zip(1..)
            .map(|(pair, number)| Layer {
                weight: pair[0].1.as_tensor().clone(),
                bias: pair[1].1.as_tensor().clone(),
                activation: if number == last { config.output } else { Activation::LeakyRelu(LEAKY_SLOPE) },
            })
            .collect();
        Self { config, parameters, layers }
    }

    /// The widths and the last activation.
    pub fn config(&self) -> &MlpConfig {
        &self.config
    }

    /// Weight and bias of each layer in turn, with their names.
    pub fn parameters(&self) -> &[(String, Var)] {
        &self.parameters
    }

    /// The layers from input to output, with the weights as they are now.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The number of weights and biases.
    pub fn parameter_count(&self) -> usize {
        self.parameters.iter().map(|(_, var)| var.elem_count()).sum()
    }

    /// `(B, input) -> (B, output)`
    pub(crate) fn forward(&self, input: &Tensor) -> candle_core::Result<MlpPass> {
        mlp(input, &self.layers)
    }
}
