use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use ganlet_ops::{Activation, Layer, MlpPass, center, matmul, mlp, mlp_with_dropout};
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
/// network ends in. A clone shares its weights.
#[derive(Clone, Debug)]
pub struct Discriminator {
    config: DiscriminatorConfig,
    mlp: Mlp,
    spectral: Option<Spectral>,
    /// What is taken from every input, `(in,)`, under its name: see [`Discriminator::with_center`].
    center: Vec<(String, Var)>,
    /// See [`Discriminator::with_unit_pixels`].
    unit_pixels: bool,
}

impl Discriminator {
    /// Draws the initial weights, a function of `seed` alone.
    ///
    /// # Errors
    /// When a width is 0, the network is too large, or the device has no room.
    pub fn new(config: DiscriminatorConfig, seed: u64, device: &Device) -> Result<Self> {
        Self::with_range(config, None, seed, device)
    }

    /// The same, but with weights uniform in `±range` and biases of 0 where there is a range, positive and finite.
    ///
    /// # Errors
    /// Those of [`Discriminator::new`].
    pub fn with_range(
        config: DiscriminatorConfig,
        range: Option<f64>,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let mlp = Mlp::new(config.mlp(), range, seed, 1, device)?;
        Ok(Self { config, mlp, spectral: None, center: Vec::new(), unit_pixels: false })
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

    /// The same network, which from now on takes a center from each image first: 0 until training sets it to the mean of its images.
    ///
    /// What the network can be is the same, for a bias can do as much. What it learns is not: inputs that are nearly always -1, as
    /// the background of digits is, all pull the weights of a unit the same way. (LeCun et al., *Efficient backprop*, 1998, section 4.3.)
    ///
    /// # Errors
    /// When the device has no room.
    pub fn with_center(mut self) -> Result<Self> {
        let weight = &self.mlp.layers()[0].weight;
        self.center = vec![("center".into(), Var::zeros(weight.dim(1)?, weight.dtype(), weight.device())?)];
        Ok(self)
    }

    /// The network that begins, and learns by gradient descent, as this one would with images in `[0, 1]`: black, and a pixel that is
    /// dropped, is 0.
    ///
    /// The images stay in `[-1, 1]`, and -1 is taken from them, as by [`Discriminator::with_center`]. That makes them twice as large, and the
    /// first weights half those of the network for `[0, 1]`. Their gradients are twice as large, while half as large a step is due:
    /// [`Network::for_parameters`] takes a quarter. What belongs to a label stays as it is. Spectral normalisation would undo it.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn with_unit_pixels(self) -> Result<Self> {
        let mut network = self.with_center()?;
        let black = Tensor::full(-1f32, network.pixels(), network.center[0].1.device())?;
        network.center_on(&black)?;
        let (_, weight) = &network.mlp.parameters()[0];
        weight.set(&network.scale_pixels(weight, 0.5)?)?;
        network.unit_pixels = true;
        Ok(network)
    }

    /// Pixels of an image.
    fn pixels(&self) -> usize {
        self.config.mlp().widths[0] - self.config.classes
    }

    /// The first weight, or a gradient for it, `(out, in)`, with what belongs to pixels times `factor`.
    fn scale_pixels(&self, weight: &Tensor, factor: f64) -> candle_core::Result<Tensor> {
        let pixels = self.pixels();
        let scaled = (weight.narrow(1, 0, pixels)? * factor)?;
        match self.config.classes {
            0 => Ok(scaled),
            classes => Tensor::cat(&[scaled, weight.narrow(1, pixels, classes)?], 1),
        }
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
        Ok(mlp(&self.centered(images)?, &self.layers_now()?)?.output().clone())
    }

    /// The same images -> the probability of their being real, `(B, 1)` in `[0, 1]`.
    ///
    /// # Errors
    /// When the images do not fit.
    pub fn probabilities(&self, images: &Tensor) -> Result<Tensor> {
        // The sigmoid by tanh: finite at any logit.
        Ok((self.logits(images)? * 0.5)?.tanh()?.affine(0.5, 0.5)?)
    }

    fn centered(&self, images: &Tensor) -> candle_core::Result<Tensor> {
        match self.center.first() {
            None => Ok(images.clone()),
            Some((_, mean)) => center(images, mean),
        }
    }

    /// The layers as they have worked since the last [`Network::refresh`].
    fn layers(&self) -> &[Layer] {
        self.spectral.as_ref().map_or(self.mlp.layers(), Spectral::normalised)
    }

    /// The layers for the weights as they are.
    fn layers_now(&self) -> candle_core::Result<Vec<Layer>> {
        match &self.spectral {
            None => Ok(self.mlp.layers().to_vec()),
            Some(spectral) => spectral.layers(&self.mlp),
        }
    }

    /// A safetensors file: the weights under PyTorch's names, the configuration and `extra` as metadata. They are written as they work:
    /// normalised, and with the center in the first bias.
    ///
    /// # Errors
    /// When a weight is not a finite number, or the device cannot be read.
    pub fn to_bytes(&self, extra: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        let mut layers = self.layers_now()?;
        if let Some((_, center)) = self.center.first() {
            // W (x - c) + b = W x + (b - W c)
            let Layer { weight, bias, .. } = &layers[0];
            let shift = matmul(weight, &center.unsqueeze(1)?)?.squeeze(1)?;
            layers[0].bias = (bias - shift)?;
        }
        let tensors = layers.iter().flat_map(|layer| [&layer.weight, &layer.bias]);
        let names = self.mlp.parameters().iter().map(|(name, _)| name.as_str());
        weights::to_bytes(names.zip(tensors), weights::Kind::Discriminator, &self.config, extra)
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
            |config, mlp| Self { config, mlp, spectral: None, center: Vec::new(), unit_pixels: false },
        )
    }
}

impl Network for Discriminator {
    type Pass = MlpPass;

    fn forward(&self, images: &Tensor) -> candle_core::Result<MlpPass> {
        mlp(&self.centered(images)?, self.layers())
    }

    fn forward_with_dropout(
        &self,
        images: &Tensor,
        masks: &[Option<Tensor>],
    ) -> candle_core::Result<MlpPass> {
        match masks {
            [] => self.forward(images),
            masks => mlp_with_dropout(&self.centered(images)?, self.layers(), masks),
        }
    }

    fn parameters(&self) -> &[(String, Var)] {
        self.mlp.parameters()
    }

    fn buffers(&self) -> Vec<(String, Var)> {
        [self.spectral.as_ref().map_or(&[][..], Spectral::buffers), &self.center].concat()
    }

    fn center_on(&mut self, mean: &Tensor) -> candle_core::Result<()> {
        match self.center.first() {
            None => candle_core::bail!("this discriminator has no center"),
            // A label, which follows the image, stays as it is.
            Some((_, center)) => center.set(&mean.pad_with_zeros(0, 0, center.dim(0)? - mean.dim(0)?)?),
        }
    }

    fn refresh(&mut self) -> candle_core::Result<()> {
        match &mut self.spectral {
            None => Ok(()),
            Some(spectral) => spectral.refresh(&self.mlp),
        }
    }

    fn can_be_recorded(&self) -> bool {
        // Normalised weights are new tensors each time.
        self.spectral.is_none()
    }

    fn for_parameters(&self, mut gradients: Vec<Tensor>) -> candle_core::Result<Vec<Tensor>> {
        if let (true, Some(first)) = (self.unit_pixels, gradients.first_mut()) {
            *first = self.scale_pixels(first, 0.25)?;
        }
        match &self.spectral {
            None => Ok(gradients),
            Some(spectral) => spectral.for_parameters(gradients),
        }
    }
}
