use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use ganlet_ops::{Activation, MlpPass};
use serde::{Deserialize, Serialize};

use crate::weights::{self, Loaded};
use crate::{Mlp, MlpConfig, Network, Result};

/// The shape of a [`Discriminator`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscriminatorConfig {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Rows and columns of an image, in pixels.
    pub image: [usize; 2],
}

impl DiscriminatorConfig {
    fn mlp(&self) -> MlpConfig {
        let pixels = self.image[0].saturating_mul(self.image[1]);
        MlpConfig::new(pixels, &self.hidden, 1, Activation::Identity)
    }
}

/// Images to the logit of their being real: an [`Mlp`] with one output.
///
/// It gives logits, on which losses are stable; [`Discriminator::probabilities`] is the sigmoid that the textbook's
/// network ends in.
#[derive(Clone, Debug)]
pub struct Discriminator {
    config: DiscriminatorConfig,
    mlp: Mlp,
}

impl Discriminator {
    /// Draws the initial weights, a function of `seed` alone.
    ///
    /// # Errors
    /// When a width is 0, the network is too large, or the device has no room.
    pub fn new(config: DiscriminatorConfig, seed: u64, device: &Device) -> Result<Self> {
        let mlp = Mlp::new(config.mlp(), seed, 1, device)?;
        Ok(Self { config, mlp })
    }

    /// The shape.
    pub fn config(&self) -> &DiscriminatorConfig {
        &self.config
    }

    /// The layers.
    pub fn mlp(&self) -> &Mlp {
        &self.mlp
    }

    /// The number of weights and biases.
    pub fn parameter_count(&self) -> usize {
        self.mlp.parameter_count()
    }

    /// Images `(B, rows * columns)` in `[-1, 1]` -> logits `(B, 1)`, any magnitude.
    ///
    /// # Errors
    /// When the images do not fit.
    pub fn logits(&self, images: &Tensor) -> Result<Tensor> {
        Ok(self.mlp.forward(images)?.output().clone())
    }

    /// Images `(B, rows * columns)` in `[-1, 1]` -> the probability of their being real, `(B, 1)` in `[0, 1]`.
    ///
    /// # Errors
    /// When the images do not fit.
    pub fn probabilities(&self, images: &Tensor) -> Result<Tensor> {
        // The sigmoid by tanh: finite at any logit.
        Ok((self.logits(images)? * 0.5)?.tanh()?.affine(0.5, 0.5)?)
    }

    /// A safetensors file: the weights under PyTorch's names, the configuration and `extra` as metadata.
    ///
    /// # Errors
    /// When a weight is not a finite number, or the device cannot be read.
    pub fn to_bytes(&self, extra: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        weights::to_bytes(&self.mlp, weights::Kind::Discriminator, &self.config, extra)
    }

    /// From a file that [`Discriminator::to_bytes`] made, or that PyTorch made from the state dict of an `nn.Sequential`;
    /// as [`Generator::from_bytes`](crate::Generator::from_bytes).
    ///
    /// # Errors
    /// When the bytes are not such a file: a variant of [`Error`](crate::Error) per way.
    pub fn from_bytes(bytes: &[u8], device: &Device) -> Result<Loaded<Self>> {
        weights::from_bytes(
            bytes,
            device,
            weights::Kind::Discriminator,
            |widths| {
                let [pixels, hidden @ .., 1] = widths else {
                    return None;
                };
                let image = weights::image_of(*pixels);
                Some(DiscriminatorConfig { hidden: hidden.to_vec(), image })
            },
            DiscriminatorConfig::mlp,
            |config, mlp| Self { config, mlp },
        )
    }
}

impl Network for Discriminator {
    type Pass = MlpPass;

    fn forward(&self, images: &Tensor) -> candle_core::Result<MlpPass> {
        self.mlp.forward(images)
    }

    fn parameters(&self) -> &[(String, Var)] {
        self.mlp.parameters()
    }
}
