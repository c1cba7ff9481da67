use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use ganlet_ops::{Activation, MlpPass};
use serde::{Deserialize, Serialize};

use crate::weights::{self, Loaded};
use crate::{
    Error, HiddenActivation, LatentDistribution, Mlp, MlpConfig, Network, Result, one_hot, sample_latents,
};

/// The shape of a [`Generator`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratorConfig {
    /// Components of a latent vector.
    pub latent: usize,
    /// What they are drawn from.
    #[serde(default)]
    pub latent_distribution: LatentDistribution,
    /// Kinds of images that can be asked for by a label, 0 where there are no labels. A label goes in after the latent vector, as
    /// [`one_hot`] has it.
    #[serde(default)]
    pub classes: usize,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// What is applied to each of them.
    #[serde(default)]
    pub activation: HiddenActivation,
    /// Rows and columns of an image, in pixels.
    pub image: [usize; 2],
}

impl GeneratorConfig {
    /// Standard normal latents, LeakyReLU, no labels: the fields may be changed.
    pub fn new(latent: usize, hidden: &[usize], image: [usize; 2]) -> Self {
        Self {
            latent,
            latent_distribution: LatentDistribution::default(),
            classes: 0,
            hidden: hidden.to_vec(),
            activation: HiddenActivation::default(),
            image,
        }
    }

    /// Pixels of an image.
    pub fn pixels(&self) -> usize {
        self.image[0].saturating_mul(self.image[1])
    }

    /// The layers that this makes.
    pub fn mlp(&self) -> MlpConfig {
        let input = self.latent.saturating_add(self.classes);
        MlpConfig::new(input, (&self.hidden, self.activation), (self.pixels(), Activation::Tanh))
    }
}

/// Latent vectors, and labels where it takes them, to images: an [`Mlp`] that ends in Tanh. A clone shares its weights.
#[derive(Clone, Debug)]
pub struct Generator {
    config: GeneratorConfig,
    mlp: Mlp,
    /// See [`Generator::with_unit_pixels`].
    unit_pixels: bool,
}

/// How many images [`Generator::generate`] makes in one pass: always as many, since a matrix product may sum in another order where it has
/// other sizes. (On a CPU those here do not; a GPU's library makes no such promise.)
const BLOCK: usize = 72;

impl Generator {
    /// Draws the initial weights, a function of `seed` alone.
    ///
    /// # Errors
    /// When a width is 0, the network is too large, or the device has no room.
    pub fn new(config: GeneratorConfig, seed: u64, device: &Device) -> Result<Self> {
        Self::with_range(config, None, seed, device)
    }

    /// The same, but with weights uniform in `±range` and biases of 0 where there is a range, positive and finite.
    ///
    /// # Errors
    /// Those of [`Generator::new`].
    pub fn with_range(
        config: GeneratorConfig,
        range: Option<f64>,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let mlp = Mlp::new(config.mlp(), range, seed, 0, device)?;
        Ok(Self { config, mlp, unit_pixels: false })
    }

    /// The network that begins, and learns by gradient descent, as this one would with pixels in `[0, 1]` and a sigmoid at its end.
    ///
    /// The pixels stay in `[-1, 1]`. Since `tanh(y / 2) = 2 sigmoid(y) - 1`, the last weights and biases are half those of the network with a
    /// sigmoid. Their gradients are twice as large, while half as large a step is due: [`Network::for_parameters`] takes a quarter.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn with_unit_pixels(mut self) -> Result<Self> {
        for (_, parameter) in self.mlp.parameters().iter().rev().take(2) {
            parameter.set(&(parameter.as_tensor() * 0.5)?)?;
        }
        self.unit_pixels = true;
        Ok(self)
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

    /// The same network with other weights, in the order of [`Network::parameters`]: their memory is shared.
    ///
    /// # Errors
    /// When there are more or fewer, or a shape differs.
    pub fn with_parameters(&self, parameters: &[(String, Var)]) -> Result<Self> {
        let expected = self.mlp.parameters();
        let [expected_count, count] = [expected.len(), parameters.len()];
        if expected_count != count {
            return Err(Error::ParameterCount { expected: expected_count, found: count });
        }
        for ((tensor, expected), (_, found)) in expected.iter().zip(parameters) {
            if expected.shape() != found.shape() {
                let (expected, found) = (expected.shape().clone(), found.shape().clone());
                return Err(Error::TensorShape { tensor: tensor.clone(), expected, found });
            }
        }
        let mlp = Mlp::from_parameters(self.config.mlp(), parameters.to_vec());
        Ok(Self { config: self.config.clone(), mlp, unit_pixels: self.unit_pixels })
    }

    /// Latents `(N, latent)`, from the distribution of the configuration in training -> images `(N, rows * columns)` f32 in
    /// `[-1, 1]`; image `i` is a function of latent `i` alone, to the bit, and of `i` where there are labels: they then go round, `i
    /// mod classes`.
    ///
    /// (A matrix product may round a row differently where it has another number of rows. So this always passes a whole
    /// number of blocks, filled up with rows that are dropped.)
    ///
    /// # Errors
    /// When the latents do not fit.
    pub fn generate(&self, latents: &Tensor) -> Result<Tensor> {
        let (count, _) = latents.dims2()?;
        match self.config.classes {
            0 => self.generate_mixed(latents),
            classes => {
                self.generate_labelled(latents, &self.labels((0..count).map(|i| (i % classes) as u32))?)
            }
        }
    }

    /// The same, image `i` being of the kind `labels[i]`: `(N,)` u8 or u32, each below `classes`.
    ///
    /// # Errors
    /// When there are no labels to the network, or latents or labels do not fit.
    pub fn generate_labelled(&self, latents: &Tensor, labels: &Tensor) -> Result<Tensor> {
        match self.config.classes {
            0 => Err(Error::NoLabels),
            classes => self.generate_mixed(&Tensor::cat(&[latents, &one_hot(labels, classes)?], 1)?),
        }
    }

    /// The numbered samples: `(N, rows * columns)` f32 in `[-1, 1]`; image `i` is a function of `seeds[i]` alone, to the bit. Where
    /// there are labels, its label is `seeds[i] mod classes`.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn sample(&self, seeds: &[u64]) -> Result<Tensor> {
        self.generate_mixed(&self.inputs(seeds, None)?)
    }

    /// The numbered samples of the kind `label`; image `i` is a function of `seeds[i]` and `label` alone, to the bit.
    ///
    /// # Errors
    /// When there are no labels to the network, `label` is not below `classes`, or the device has no room.
    pub fn sample_labelled(&self, seeds: &[u64], label: usize) -> Result<Tensor> {
        self.generate_mixed(&self.inputs(seeds, Some(label))?)
    }

    /// What the numbered samples are made of, for [`Generator::generate_mixed`]: their latents and, behind them, `label` as
    /// [`one_hot`] has it, or the label of their own, `(N, latent + classes)`.
    ///
    /// # Errors
    /// When there are no labels to the network, `label` is not below `classes`, or the device has no room.
    pub fn inputs(&self, seeds: &[u64], label: Option<usize>) -> Result<Tensor> {
        let GeneratorConfig { latent, latent_distribution, classes, .. } = self.config;
        let latents = sample_latents(seeds, latent, latent_distribution, self.device())?;
        match label {
            None if classes == 0 => return Ok(latents),
            Some(_) if classes == 0 => return Err(Error::NoLabels),
            Some(found) if found >= classes => return Err(Error::Label { classes, found }),
            _ => {}
        }
        let label = |seed: &u64| label.map_or(seed % classes as u64, |label| label as u64) as u32;
        let labels = one_hot(&self.labels(seeds.iter().map(label))?, classes)?;
        Ok(Tensor::cat(&[latents, labels], 1)?)
    }

    /// Inputs `(N, latent + classes)` -> images `(N, rows * columns)` f32 in `[-1, 1]`; image `i` is a function of input `i` alone, to
    /// the bit. The last numbers of an input say how much of each kind its image is to be: one-hot in training, and any
    /// mixture here.
    ///
    /// # Errors
    /// When the inputs do not fit.
    pub fn generate_mixed(&self, input: &Tensor) -> Result<Tensor> {
        let (count, _) = input.dims2()?;
        let mut images = Vec::with_capacity(count.div_ceil(BLOCK));
        for first in (0..count).step_by(BLOCK) {
            let rows = BLOCK.min(count - first);
            let block = input.narrow(0, first, rows)?.pad_with_zeros(0, 0, BLOCK - rows)?;
            images.push(self.mlp.forward(&block)?.output().narrow(0, 0, rows)?);
        }
        match images.is_empty() {
            true => Ok(self.mlp.forward(input)?.output().clone()),
            false => Ok(Tensor::cat(&images, 0)?),
        }
    }

    fn labels(&self, labels: impl Iterator<Item = u32>) -> Result<Tensor> {
        Ok(Tensor::new(labels.collect::<Vec<_>>(), self.device())?)
    }

    fn device(&self) -> &Device {
        self.mlp.parameters()[0].1.device()
    }

    /// A safetensors file: the weights under PyTorch's names, the configuration and `extra` as metadata.
    ///
    /// # Errors
    /// When a weight is not a finite number, or the device cannot be read.
    pub fn to_bytes(&self, extra: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        weights::to_bytes(self.mlp.tensors(), weights::Kind::Generator, &self.config, extra)
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
                Some(GeneratorConfig::new(*latent, hidden, weights::image_of(*pixels)))
            },
            GeneratorConfig::mlp,
            |config, mlp| Self { config, mlp, unit_pixels: false },
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

    fn can_be_recorded(&self) -> bool {
        true
    }

    fn for_parameters(&self, mut gradients: Vec<Tensor>) -> candle_core::Result<Vec<Tensor>> {
        if self.unit_pixels {
            for gradient in gradients.iter_mut().rev().take(2) {
                *gradient = (&*gradient * 0.25)?;
            }
        }
        Ok(gradients)
    }
}
