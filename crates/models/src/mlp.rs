use candle_core::{Device, Tensor, Var};
use ganlet_ops::{Activation, Layer, MlpPass, mlp};
use ganlet_random::Stream;

use crate::{Error, HiddenActivation, Result};

/// The most weights that a network may have: 4 GiB of f32.
const MAX_PARAMETERS: usize = 1 << 30;

/// What the initial weights are drawn from: [`Stream`]s of this domain.
const INITIAL_WEIGHTS: u32 = 0x494e_4954;

/// The shape of a multi-layer perceptron.
#[derive(Clone, Debug, PartialEq)]
pub struct MlpConfig {
    /// The widths from input to output; `n + 1` of them make `n` layers.
    pub widths: Vec<usize>,
    /// What is applied to every layer but the last.
    pub hidden: HiddenActivation,
    /// What is applied to the last layer: an activation of single numbers.
    pub output: Activation,
}

impl MlpConfig {
    /// `input`, the hidden widths, `output`, with an activation for the hidden layers and one for the last.
    pub(crate) fn new(
        input: usize,
        hidden: (&[usize], HiddenActivation),
        output: (usize, Activation),
    ) -> Self {
        let widths = std::iter::once(input).chain(hidden.0.iter().copied()).chain([output.0]).collect();
        Self { widths, hidden: hidden.1, output: output.1 }
    }

    /// The parameters' names and shapes: `0.weight (out, in)`, `0.bias (out,)`, `2.weight`, ... as PyTorch's `nn.Sequential`
    /// numbers them, an activation taking a number of its own. Of a maxout layer with k pieces, `out` is k times its width.
    pub fn parameters(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        let last = self.widths.len().saturating_sub(2);
        self.widths.windows(2).enumerate().flat_map(move |(layer, pair)| {
            let pieces = if layer == last { 1 } else { self.hidden.pieces() };
            let rows = pair[1].saturating_mul(pieces);
            let [weight, bias] = ["weight", "bias"].map(|kind| format!("{}.{kind}", 2 * layer));
            [(weight, vec![rows, pair[0]]), (bias, vec![rows])]
        })
    }

    /// The number of weights and biases.
    pub fn parameter_count(&self) -> usize {
        self.parameters()
            .map(|(_, shape)| shape.into_iter().fold(1, usize::saturating_mul))
            .fold(0, usize::saturating_add)
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

/// A multi-layer perceptron: fully connected layers with an activation after each, as one operation ([`mlp`](fn@mlp)).
#[derive(Clone, Debug)]
pub struct Mlp {
    config: MlpConfig,
    /// Weight and bias of each layer in turn, named as by PyTorch's `nn.Sequential`.
    parameters: Vec<(String, Var)>,
    /// The same, as the operation takes them.
    layers: Vec<Layer>,
}

impl Mlp {
    /// Draws weights uniform in `±range`, with biases of 0; or, where there is no range, as PyTorch's `nn.Linear` does: weights and
    /// biases uniform in `±1/sqrt(in)`.
    ///
    /// (Its `kaiming_uniform_(a=sqrt(5))` comes to that bound; `torch/nn/modules/linear.py`, `reset_parameters`.) The numbers are a
    /// function of `seed`, of which `network` this is, and of the parameter.
    pub(crate) fn new(
        config: MlpConfig,
        range: Option<f64>,
        seed: u64,
        network: u32,
        device: &Device,
    ) -> Result<Self> {
        config.validate()?;
        let mut inputs = 1;
        let parameters = config
            .parameters()
            .enumerate()
            .map(|(at, (name, shape))| {
                // A bias follows its weight, and is drawn from the same range.
                inputs = shape.get(1).copied().unwrap_or(inputs);
                let bound = match range {
                    None => 1. / (inputs as f32).sqrt(),
                    Some(range) if shape.len() == 2 => range as f32,
                    Some(_) => 0.,
                };
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
                activation: if number == last { config.output } else { config.hidden.activation() },
            })
            .collect();
        Self { config, parameters, layers }
    }

    /// The widths and the activations.
    pub fn config(&self) -> &MlpConfig {
        &self.config
    }

    /// Weight and bias of each layer in turn, with their names.
    pub fn parameters(&self) -> &[(String, Var)] {
        &self.parameters
    }

    /// The parameters as plain tensors.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.parameters.iter().map(|(name, var)| (name.as_str(), var.as_tensor()))
    }

    /// The layers from input to output; their tensors are the parameters themselves.
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
