use std::collections::HashMap;

use candle_core::{DType, Device, Shape, Tensor, safetensors};
use ganlet_ops::{Activation, linear};

use crate::convolution::{Kernel, convolution};
use crate::{Error, Result, input};

/// Height and width of the images that the network knows.
pub const SIDE: usize = 28;

/// Features of an image.
pub const FEATURES: usize = 64;

/// The classes: digits 0 to 9.
pub const CLASSES: usize = 10;

/// The slope of the LeakyReLU after every layer but the last.
const SLOPE: f32 = 0.1;

/// The convolutions, from the image on: 28 -> 14 -> 7 -> 4 pixels across.
const KERNELS: [Kernel; 3] = [
    Kernel { size: 5, stride: 2, padding: 2 },
    Kernel { size: 3, stride: 2, padding: 1 },
    Kernel { size: 3, stride: 2, padding: 1 },
];

/// Channels after each convolution.
const CHANNELS: [usize; 3] = [32, 64, 64];

/// Pixels left after the last convolution.
const PLACES: usize = 4 * 4;

/// The parameters of [`DigitNetwork`] and their shapes, in order.
pub const PARAMETERS: [(&str, &[usize]); 10] = [
    ("conv1.weight", &[CHANNELS[0], 5 * 5]),
    ("conv1.bias", &[CHANNELS[0]]),
    ("conv2.weight", &[CHANNELS[1], 3 * 3 * CHANNELS[0]]),
    ("conv2.bias", &[CHANNELS[1]]),
    ("conv3.weight", &[CHANNELS[2], 3 * 3 * CHANNELS[1]]),
    ("conv3.bias", &[CHANNELS[2]]),
    ("features.weight", &[FEATURES, PLACES * CHANNELS[2]]),
    ("features.bias", &[FEATURES]),
    ("classes.weight", &[CLASSES, FEATURES]),
    ("classes.bias", &[CLASSES]),
];

/// Images that pass through at a time, so that memory stays flat.
pub(crate) const BLOCK: usize = 96;

/// The network whose features the distances are taken in: a convolutional classifier of MNIST's digits.
///
/// Three convolutions with stride 2, a layer of 64 features, and one of 10 classes, with LeakyReLU(0.1) after all but the last.
/// Inception's features, which the Fréchet distance is usually taken in, know photographs and not digits. The weights
/// are part of this crate and never change under one name: numbers compare across machines, and among papers.
///
/// It runs on the CPU. Passes are differentiable by candle, for the weights and for the images.
#[derive(Clone, Debug)]
pub struct DigitNetwork {
    parameters: Vec<Tensor>,
}

impl DigitNetwork {
    /// The name of the weights of [`DigitNetwork::v1`]; say it beside numbers.
    pub const V1: &str = "digits-v1";

    /// The weights that come with this crate: trained on MNIST's training images by `crates/metrics/examples/train_digits.rs`, 99.45 % of the
    /// test images right.
    ///
    /// # Errors
    /// Never, but for want of memory.
    pub fn v1() -> Result<Self> {
        let bytes = include_bytes!("../weights/digits-v1.safetensors");
        Self::from_tensors(safetensors::load_buffer(bytes, &Device::Cpu)?)
    }

    /// From tensors of the names and shapes of [`PARAMETERS`], of any floating-point dtype.
    ///
    /// Convolutions take a patch row by row, channels innermost; so do features the last image.
    ///
    /// # Errors
    /// [`Error::Weights`] where a tensor is not there, or of another shape.
    pub fn from_tensors(mut tensors: HashMap<String, Tensor>) -> Result<Self> {
        let parameter = |&(name, shape): &(&'static str, &[usize])| match tensors.remove(name) {
            Some(tensor) if tensor.dims() == shape => Ok(tensor.to_dtype(DType::F32)?),
            other => Err(Error::Weights {
                tensor: name,
                expected: Shape::from(shape),
                found: other.map(|tensor| tensor.shape().clone()),
            }),
        };
        Ok(Self { parameters: PARAMETERS.iter().map(parameter).collect::<Result<_>>()? })
    }

    /// Images `(N, 784)` in `[-1, 1]` -> features `(N, 64)` f32.
    ///
    /// # Errors
    /// [`Error::ImageSize`] where a row does not have 784 pixels, [`Error::Range`] or [`Error::NotFinite`] where one is not in that range.
    pub fn features(&self, images: &Tensor) -> Result<Tensor> {
        let (count, pixels) = images.dims2()?;
        if pixels != SIDE * SIDE {
            return Err(Error::ImageSize { found: pixels });
        }
        input::images("images", images, 0)?;
        let images = &images.to_dtype(DType::F32)?;
        let blocks =
            (0..count).step_by(BLOCK).map(|first| self.block(images, first, BLOCK.min(count - first)));
        let blocks = blocks.collect::<Result<Vec<_>>>()?;
        match blocks.is_empty() {
            true => Ok(Tensor::zeros((0, FEATURES), DType::F32, images.device())?),
            false => Ok(Tensor::cat(&blocks, 0)?),
        }
    }

    fn block(&self, images: &Tensor, first: usize, count: usize) -> Result<Tensor> {
        let mut x = images.narrow(0, first, count)?.reshape((count, SIDE, SIDE, 1))?;
        for (layer, kernel) in self.parameters.chunks_exact(2).zip(KERNELS) {
            x = convolution(&x, &layer[0], &layer[1], kernel, SLOPE)?;
        }
        Ok(linear(
            &x.flatten_from(1)?,
            &self.parameters[6],
            &self.parameters[7],
            Activation::LeakyRelu(SLOPE),
        )?)
    }

    /// Features `(N, 64)` -> logits `(N, 10)` of the digits.
    ///
    /// # Errors
    /// When the features do not fit.
    pub fn logits(&self, features: &Tensor) -> Result<Tensor> {
        Ok(linear(features, &self.parameters[8], &self.parameters[9], Activation::Identity)?)
    }

    /// Features `(N, 64)` -> probabilities `(N, 10)` of the digits, f64, each row adding up to 1.
    ///
    /// # Errors
    /// When the features do not fit.
    pub fn probabilities(&self, features: &Tensor) -> Result<Tensor> {
        let logits = self.logits(features)?.to_dtype(DType::F64)?;
        let weights = logits.broadcast_sub(&logits.max_keepdim(1)?)?.exp()?;
        Ok(weights.broadcast_div(&weights.sum_keepdim(1)?)?)
    }
}
