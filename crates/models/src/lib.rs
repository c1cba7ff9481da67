//! Generator and discriminator as multi-layer perceptrons, with PyTorch's initialisation and state dicts.
//!
//! A [`Generator`] turns latent vectors into images, a [`Discriminator`] images into logits. Both are an [`Mlp`] of
//! any depth and width: fully connected layers with LeakyReLU, ReLU or maxout between them. Either may take a label beside its input.
//! Their initial weights are from the range that PyTorch's `nn.Linear` draws from, a function of the seed alone. Their files are safetensors
//! with the names that PyTorch's `nn.Sequential` gives, so `G.load_state_dict(load_file("generator.safetensors"))` works as it is, and hold their own
//! configuration, so that nothing else is needed to load them.
//!
//! ```
//! use candle_core::Device;
//! use ganlet_models::{Generator, GeneratorConfig};
//!
//! # fn main() -> ganlet_models::Result<()> {
//! let config = GeneratorConfig::new(64, &[256, 256], [28, 28]);
//! let generator = Generator::new(config, 0, &Device::Cpu)?;
//! assert_eq!(generator.parameter_count(), 283_920);
//!
//! // Sample 7 is the same picture whatever else is drawn with it.
//! let images = generator.sample(&[7, 8, 9])?; // (3, 784) f32 in [-1, 1]
//! assert_eq!(images.dims(), [3, 784]);
//!
//! let file: Vec<u8> = generator.to_bytes(&Default::default())?;
//! let again = Generator::from_bytes(&file, &Device::Cpu)?.network;
//! assert_eq!(again.sample(&[7])?.to_vec2::<f32>()?, generator.sample(&[7])?.to_vec2::<f32>()?);
//! # Ok(())
//! # }
//! ```

mod between;
mod discriminator;
mod error;
mod generator;
mod hidden;
mod labels;
mod latents;
mod mlp;
mod network;
mod spectral;
mod weights;

pub use discriminator::{Discriminator, DiscriminatorConfig};
pub use error::{Error, Result};
pub use generator::{Generator, GeneratorConfig};
pub use hidden::{HiddenActivation, LEAKY_SLOPE};
pub use labels::one_hot;
pub use latents::{LatentDistribution, SAMPLES, fill, sample_latents};
pub use mlp::{Mlp, MlpConfig};
pub use network::{Autograd, AutogradPass, Network, Pass};
pub use weights::Loaded;
