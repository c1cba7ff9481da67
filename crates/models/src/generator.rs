use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use ganlet_ops::{Activation, MlpPass};
use serde::{Deserialize, Serialize};

use crate::weights::{self, Loaded};
use crate::{Mlp, MlpConfig, Network, Result, sample_latents};

/// The shape of a [`Generator`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratorConfig {
    /// Components of a latent vector.
    pub latent: usize,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Rows and columns of an image, in pixels.
    pub image: [usize; 2],
}

impl GeneratorConfig {
    /// Pixels of an image.
    pub fn pixels(&self) -> usize {
        self.image[0].saturating_mul(self.image[1])
    }

    fn mlp(&self) -> MlpConfig {
        MlpConfig::new(self.latent, &self.hidden, self.pixels(), Activation::Tanh)
    }
}

/// Latent vectors to images: an [`Mlp`] that ends in Tanh.
#[derive(Clone, Debug)]
pub struct Generator {
    config: GeneratorConfig,
    mlp: Mlp,
}

/// How many images [`Generator::generate`] makes in one pass: a whole number of the rows, 4, 6 or 24, that a matrix product takes
/// at a time, so that each row is computed in the same way.
const BLOCK: usize = 72;

impl Generator {
    /// Draws the initial weights, a function of `seed` alone.
    ///
    /// # Errors
    /// When a width is 0, the network is too large, or the device has no room.
    pub fn new(config: GeneratorConfig, seed: u64, device: &Device) -> Result<Self> {
        let mlp = Mlp::new(config.mlp(), seed, 0, device)?;
        Ok(Self { config, mlp })
    }

    /// The shape.
    pub fn config(&self) -> &GeneratorConfig {
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

    /// Latents `(N, latent)`, standard normal in training -> images `(N, rows * columns)` f32 in `[-1, 1]`; image `i` is a
    /// function of latent `i` alone, to the bit.
    ///
    /// (A matrix product may round a row differently where it has another number of rows. So this always passes a whole
    /// number of blocks, filled up with rows that are dropped.)
    ///
    /// # Errors
    /// When the latents do not fit.
    pub fn generate(&self, latents: &Tensor) -> Result<Tensor> {
        let (count, _) = latents.dims2()?;
        let mut images = Vec::with_capacity(count.div_ceil(BLOCK));
        for first in (0..count).step_by(BLOCK) {
            let rows = BLOCK.min(count - first);
            let block = latents.narrow(0, first, rows)?.pad_with_zeros(0, 0, BLOCK - rows)?;
            images.push(self.mlp.forward(&block)?.output().narrow(0, 0, rows)?);
        }
        match images.is_empty() {
            true => Ok(self.mlp.forward(latents)?.output().clone()),
            false => Ok(Tensor::cat(&images, 0)?),
        }
    }

    /// The numbered samples: `(N, rows * columns)` f32 in `[-1, 1]`; image `i` is a function of `seeds[i]` alone, to the bit.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn sample(&self, seeds: &[u64]) -> Result<Tensor> {
        let device = self.mlp.parameters()[0].1.device();
        self.generate(&sample_latents(seeds, self.config.latent, device)?)
    }

    /// A safetensors file: the weights under PyTorch's names, the configuration and `extra` as metadata.
    ///
    /// # Errors
    /// When a weight is not a finite number, or the device cannot be read.
    pub fn to_bytes(&self, extra: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        weights::to_bytes(&self.mlp, weights::Kind::Generator, &self.config, extra)
    }

    /// From a file that [`Generator::to_bytes`] made, or that PyTorch made from the state dict of an `nn.Sequential`.
    ///
    /// The latter has no configuration: the widths then come from the shapes, the activations are those of this
    /// crate, the image is taken for a square where that is possible, and [`Loaded::assumed`] says so.
    ///
    /// # Errors
    /// When the bytes are not such a file: a variant of [`Error`](crate::Error) per way.
    pub fn from_bytes(bytes: &[u8], device: &Device) -> Result<Loaded<Self>> {
        weights::from_bytes(
            bytes,
            device,
            weights::Kind::Generator,
            |widths| {
                let [latent, hidden @ .., pixels] = widths else {
                    return None;
                };
                let image = weights::image_of(*pixels);
                Some(GeneratorConfig { latent: *latent, hidden: hidden.to_vec(), image })
            },
            GeneratorConfig::mlp,
            |config, mlp| Self { config, mlp },
        )
    }
}

impl Network for Generator {
    type Pass = MlpPass;

    fn forward(&self, latents: &Tensor) -> candle_core::Result<MlpPass> {
        self.mlp.forward(latents)
    }

    fn parameters(&self) -> &[(String, Var)] {
        self.mlp.parameters()
    }
}
