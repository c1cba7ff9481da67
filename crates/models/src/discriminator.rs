use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use ganlet_ops::{Activation, Layer, MlpPass, mlp, mlp_with_dropout};
use serde::{Deserialize, Serialize};

use crate::spectral::Spectral;
use crate::weights::{self, Loaded};
use crate::{HiddenActivation, Mlp, MlpConfig, Network, Result};

/// The shape of a [`Discriminator`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscriminatorConfig {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// What is applied to each of them.
    #[serde(default)]
    pub activation: HiddenActivation,
    /// Kinds of images, 0 where it is not told the kind. A label goes in after the image, as [`one_hot`](crate::one_hot) has it.
    #[serde(default)]
    pub classes: usize,
    /// Rows and columns of an image, in pixels.
    pub image: [usize; 2],
}

impl DiscriminatorConfig {
    /// LeakyReLU, no labels: the fields may be changed.
    pub fn new(hidden: &[usize], image: [usize; 2]) -> Self {
        Self { hidden: hidden.to_vec(), activation: HiddenActivation::default(), classes: 0, image }
    }

    /// The layers that this makes.
    pub fn mlp(&self) -> MlpConfig {
        let pixels = self.image[0].saturating_mul(self.image[1]);
        let input = pixels.saturating_add(self.classes);
        MlpConfig::new(input, (&self.hidden, self.activation), (1, Activation::Identity))
    }
}

/// Images, and labels where it takes them, to the logit of their being real: an [`Mlp`] with one output.
///
/// It gives logits, on which losses are stable; [`Discriminator::probabilities`] is the sigmoid that the textbook's
/// network ends in.
#[derive(Clone, Debug)]
pub struct Discriminator {
    config: DiscriminatorConfig,
    mlp: Mlp,
    spectral: Option<Spectral>,
}

impl Discriminator {
    /// Draws the initial weights, a function of `seed` alone.
    ///
    /// # Errors
    /// When a width is 0, the network is too large, or the device has no room.
    pub fn new(config: DiscriminatorConfig, seed: u64, device: &Device) -> Result<Self> {
        let mlp = Mlp::new(config.mlp(), seed, 1, device)?;
        Ok(Self { config, mlp, spectral: None })
    }

    /// The same network, with spectral normalisation from now on: each weight is divided by its largest singular value, so that the
    /// logit changes no faster than the image does. (Miyato et al., *Spectral normalization for generative adversarial networks*, ICLR
    /// 2018.)
    ///
    /// # Errors
    /// When the device has no room.
    pub fn with_spectral_norm(mut self, seed: u64) -> Result<Self> {
        self.spectral = Some(Spectral::new(&self.mlp, seed)?);
        Ok(self)
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

    /// Images `(B, rows * columns)` in `[-1, 1]`, each followed by its label as [`one_hot`](crate::one_hot) has it where the network takes
    /// labels -> logits `(B, 1)`, any magnitude.
    ///
    /// # Errors
    /// When the images do not fit.
    pub fn logits(&self, images: &Tensor) -> Result<Tensor> {
        Ok(self.forward(images)?.output().clone())
    }

    /// The same images -> the probability of their being real, `(B, 1)` in `[0, 1]`.
    ///
    /// # Errors
    /// When the images do not fit.
    pub fn probabilities(&self, images: &Tensor) -> Result<Tensor> {
        // The sigmoid by tanh: finite at any logit.
        Ok((self.logits(images)? * 0.5)?.tanh()?.affine(0.5, 0.5)?)
    }

    /// The layers as they work.
    fn layers(&self) -> &[Layer] {
        self.spectral.as_ref().map_or(self.mlp.layers(), Spectral::normalised)
    }

    /// A safetensors file: the weights under PyTorch's names, the configuration and `extra` as metadata. Those of a network with
    /// spectral normalisation are written as they work, normalised.
    ///
    /// # Errors
    /// When a weight is not a finite number, or the device cannot be read.
    pub fn to_bytes(&self, extra: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        let kind = weights::Kind::Discriminator;
        match &self.spectral {
            None => weights::to_bytes(self.mlp.tensors(), kind, &self.config, extra),
            Some(spectral) => {
                let layers = spectral.layers(&self.mlp)?;
                let tensors = layers.iter().flat_map(|layer| [&layer.weight, &layer.bias]);
                let names = self.mlp.parameters().iter().map(|(name, _)| name.as_str());
                weights::to_bytes(names.zip(tensors), kind, &self.config, extra)
            }
        }
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
                Some(DiscriminatorConfig::new(hidden, weights::image_of(*pixels)))
            },
            DiscriminatorConfig::mlp,
            |config, mlp| Self { config, mlp, spectral: None },
        )
    }
}

impl Network for Discriminator {
    type Pass = MlpPass;

    fn forward(&self, images: &Tensor) -> candle_core::Result<MlpPass> {
        mlp(images, self.layers())
    }

    fn forward_with_dropout(
        &self,
        images: &Tensor,
        masks: &[Option<Tensor>],
    ) -> candle_core::Result<MlpPass> {
        match masks {
            [] => self.forward(images),
            masks => mlp_with_dropout(images, self.layers(), masks),
        }
    }

    fn parameters(&self) -> &[(String, Var)] {
        self.mlp.parameters()
    }

    fn buffers(&self) -> &[(String, Var)] {
        self.spectral.as_ref().map_or(&[], Spectral::buffers)
    }

    fn refresh(&mut self) -> candle_core::Result<()> {
        match &mut self.spectral {
            None => Ok(()),
            Some(spectral) => spectral.refresh(&self.mlp),
        }
    }

    fn of_parameters(&self, gradients: Vec<Tensor>) -> candle_core::Result<Vec<Tensor>> {
        match &self.spectral {
            None => Ok(gradients),
            Some(spectral) => spectral.of_parameters(gradients),
        }
    }
}
