//! A training as one file, and back: both networks, both optimizers, the average of the weights, and the clock.
//!
//! A checkpoint is a safetensors file. Its tensors are f32 and named after what they belong to: `generator.0.weight`,
//! its moments `generator_adam.m.0.weight` and `generator_adam.v.0.weight` (of SGD: `generator_sgd.velocity.0.weight`), and its
//! average `average.0.weight`; the same for the discriminator, which has no average. Its one metadata
//! entry, `ganlet`, says as JSON what was being trained, on what, by which version and how far, and ends in a SHA-256 of
//! all that the file says. So a file that is read is whole: no byte of it can have changed unnoticed.
//!
//! Its networks may be of any kind, for it names parameters as they do:
//!
//! ```
//! use candle_core::Device;
//! use ganlet_train::checkpoint::{self, Checkpoint};
//! use ganlet_train::{Gan, Recipe};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let recipe = Recipe::named("classic")?;
//! let gan = Gan::new(&recipe, [28, 28], &Device::Cpu)?;
//! let file: Vec<u8> = checkpoint::to_bytes(&gan, &recipe, "the digest of the images")?;
//!
//! let checkpoint = Checkpoint::from_bytes(&file)?;
//! let mut again = Gan::new(checkpoint.recipe(), [28, 28], &Device::Cpu)?;
//! checkpoint.restore(&mut again)?;
//! assert_eq!(again.steps, gan.steps);
//! # Ok(())
//! # }
//! ```

use std::collections::{BTreeMap, HashMap};

use candle_core::{Device, Shape, Tensor, Var};
use ganlet_models::Network;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Gan, Optimizer, Recipe};

/// The one metadata entry: one, because safetensors writes several in an order of its own, another one each time.
const METADATA: &str = "ganlet";

/// Why there is no checkpoint, or none that can be gone on from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a safetensors file, or end early.
    #[error("expected a checkpoint, found {length} bytes that are not a safetensors file")]
    NotSafetensors {
        /// How many bytes there are.
        length: usize,
        /// What the parser says.
        #[source]
        source: safetensors::SafeTensorError,
    },

    /// The file is a safetensors file, of weights for instance, and no checkpoint.
    #[error("the file is not a checkpoint: it has no metadata `ganlet`")]
    NotACheckpoint,

    /// The description in the metadata cannot be read.
    #[error("the metadata `ganlet` is not a description that this version knows")]
    Metadata(#[source] serde_json::Error),

    /// The recipe in the metadata is none.
    #[error("the recipe in the checkpoint cannot be read, or not be written")]
    Recipe(#[source] Box<crate::Error>),

    /// A tensor is not of 32-bit floats.
    #[error("tensor `{tensor}`: expected dtype F32, found {found:?}")]
    TensorDType {
        /// The name.
        tensor: String,
        /// What the file has.
        found: Dtype,
    },

    /// A weight or a moment is infinite or not a number.
    #[error("tensor `{tensor}`: expected finite numbers, found {found} at position {position}")]
    NotFinite {
        /// The name.
        tensor: String,
        /// Where, counted in row-major order.
        position: usize,
        /// The first such number.
        found: f32,
    },

    /// The content is not what was written.
    #[error("the file is damaged: its content has the SHA-256 {found}, expected {expected}")]
    Digest {
        /// What the file says.
        expected: String,
        /// What its content has.
        found: String,
    },

    /// A tensor that the networks call for is not there.
    #[error("tensor `{tensor}` is missing")]
    MissingTensor {
        /// The name.
        tensor: String,
    },

    /// There is a tensor that the networks do not have.
    #[error("tensor `{tensor}` belongs to neither network nor optimizer")]
    UnexpectedTensor {
        /// The name.
        tensor: String,
    },

    /// A tensor does not have the shape of its parameter.
    #[error("tensor `{tensor}`: expected shape {expected:?}, found {found:?}")]
    TensorShape {
        /// The name.
        tensor: String,
        /// The parameter's.
        expected: Shape,
        /// What the file has.
        found: Shape,
    },

    /// The description could not be put into the metadata.
    #[error("cannot serialise the description")]
    SerializeDescription(#[source] serde_json::Error),

    /// The file could not be put together.
    #[error("cannot serialise the checkpoint")]
    Serialize(#[source] safetensors::SafeTensorError),

    /// A tensor operation failed.
    #[error("a tensor operation failed")]
    Tensor(#[from] candle_core::Error),
}

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What a file says of itself, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    version: String,
    /// As TOML, which gives each float back to the bit.
    recipe: String,
    data: String,
    steps: u64,
    /// Of the optimizers. (The names are older than the choice between several.)
    generator_adam_steps: u64,
    discriminator_adam_steps: u64,
    /// Of this description with nothing here, and of all tensors.
    sha256: String,
}

/// Where a training stands, read from a file and known to be whole.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    description: Description,
    recipe: Recipe,
    tensors: BTreeMap<String, Tensor>,
}

/// A tensor's bytes, with what a file says about them.
struct Stored {
    name: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// The file of where `gan` stands: the same bytes each time.
///
/// `data` names the images: whoever goes on compares it with that of their own.
///
/// # Errors
/// When a weight or a moment is not a finite number, the recipe cannot be written, or the device cannot be read.
pub fn to_bytes<G: Network, D: Network>(gan: &Gan<G, D>, recipe: &Recipe, data: &str) -> Result<Vec<u8>> {
    Snapshot::new(gan, recipe, data)?.to_bytes()
}

/// All that a checkpoint says, copied from a training that may then go on while another thread makes the file of it.
pub struct Snapshot {
    description: Description,
    stored: Vec<Stored>,
}

impl Snapshot {
    /// Of where `gan` stands. `data` names the images, as for [`to_bytes`].
    ///
    /// # Errors
    /// Those of [`to_bytes`].
    pub fn new<G: Network, D: Network>(gan: &Gan<G, D>, recipe: &Recipe, data: &str) -> Result<Self> {
        let Gan { generator, discriminator, generator_optimizer, discriminator_optimizer, average, steps } =
            gan;
        let mut stored = Vec::new();
        for (network, parameters, buffers, optimizer) in [
            ("generator", generator.parameters(), generator.buffers(), generator_optimizer),
            ("discriminator", discriminator.parameters(), discriminator.buffers(), discriminator_optimizer),
        ] {
            for (name, tensor) in parameters.iter().chain(&buffers) {
                stored.push(Stored::new(format!("{network}.{name}"), tensor)?);
            }
            for (name, moments) in &optimizer.moments {
                for (moment, tensor) in moment_names(network, optimizer, name).zip(moments) {
                    stored.push(Stored::new(moment, tensor)?);
                }
            }
        }
        for (name, tensor) in average.iter().flat_map(|average| &average.parameters) {
            stored.push(Stored::new(format!("average.{name}"), tensor)?);
        }
        stored.sort_by(|a, b| a.name.cmp(&b.name));

        let description = Description {
            version: env!("CARGO_PKG_VERSION").into(),
            recipe: recipe.to_toml().map_err(|source| Error::Recipe(Box::new(source)))?,
            data: data.into(),
            steps: *steps,
            generator_adam_steps: generator_optimizer.steps,
            discriminator_adam_steps: discriminator_optimizer.steps,
            sha256: String::new(),
        };
        Ok(Self { description, stored })
    }

    /// The file.
    ///
    /// # Errors
    /// When it cannot be put together.
    pub fn to_bytes(self) -> Result<Vec<u8>> {
        let Self { mut description, stored } = self;
        let content =
            stored.iter().map(|Stored { name, shape, bytes }| (name.as_str(), &shape[..], &bytes[..]));
        description.sha256 = digest(&description, content)?;

        let metadata = HashMap::from([(METADATA.to_owned(), json(&description)?)]);
        let views = stored
            .iter()
            .map(|Stored { name, shape, bytes }| {
                Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?))
            })
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(Error::Serialize)?;
        safetensors::serialize(views, Some(metadata)).map_err(Error::Serialize)
    }
}

impl Checkpoint {
    /// Reads a file that [`to_bytes`] made.
    ///
    /// # Errors
    /// When the bytes are not such a file, or not all of it: a variant of [`Error`] per way.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let not_safetensors = |source| Error::NotSafetensors { length: bytes.len(), source };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_safetensors)?;
        let file = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
        let json = header.metadata().as_ref().and_then(|metadata| metadata.get(METADATA));
        let description: Description =
            serde_json::from_str(json.ok_or(Error::NotACheckpoint)?).map_err(Error::Metadata)?;
        let recipe =
            Recipe::from_toml(&description.recipe).map_err(|source| Error::Recipe(Box::new(source)))?;

        let views: BTreeMap<String, TensorView> = file.tensors().into_iter().collect();
        let tensors = views
            .iter()
            .map(|(name, view)| Ok((name.clone(), tensor(name, view)?)))
            .collect::<Result<BTreeMap<_, _>>>()?;

        let content = views.iter().map(|(name, view)| (name.as_str(), view.shape(), view.data()));
        let found = digest(&description, content)?;
        match found == description.sha256 {
            true => Ok(Self { description, recipe, tensors }),
            false => Err(Error::Digest { expected: description.sha256, found }),
        }
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.description.steps
    }

    /// What was being trained.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The name of the images that it was trained on, as [`to_bytes`] was given it.
    pub fn data(&self) -> &str {
        &self.description.data
    }

    /// The version of this crate that wrote it.
    pub fn version(&self) -> &str {
        &self.description.version
    }

    /// Puts `gan`, made from the same recipe for images of the same size, where the training stood: [`train`](crate::train())
    /// then goes on to the same bits as if it had never stopped.
    ///
    /// # Errors
    /// When its networks are not those of the checkpoint; nothing of it is changed then.
    pub fn restore<G: Network, D: Network>(&self, gan: &mut Gan<G, D>) -> Result<()> {
        let Gan { generator, discriminator, generator_optimizer, discriminator_optimizer, average, steps } =
            gan;
        let mut unused = self.tensors.clone();
        let [g_steps, d_steps] =
            [self.description.generator_adam_steps, self.description.discriminator_adam_steps];
        let of_g = [generator.parameters(), &generator.buffers()].concat();
        let of_d = [discriminator.parameters(), &discriminator.buffers()].concat();
        let averages = average.as_ref().map_or(&[][..], |average| &average.parameters);
        let mut tensors = take_all(&mut unused, "generator", &of_g)?;
        tensors.extend(take_all(&mut unused, "discriminator", &of_d)?);
        tensors.extend(take_all(&mut unused, "average", averages)?);
        let g_moments = take_moments(&mut unused, "generator", generator, generator_optimizer, g_steps)?;
        let d_moments =
            take_moments(&mut unused, "discriminator", discriminator, discriminator_optimizer, d_steps)?;
        if let Some((tensor, _)) = unused.pop_first() {
            return Err(Error::UnexpectedTensor { tensor });
        }

        for (var, value) in tensors {
            var.set(&value)?;
        }
        (generator_optimizer.steps, generator_optimizer.moments) = (g_steps, g_moments);
        (discriminator_optimizer.steps, discriminator_optimizer.moments) = (d_steps, d_moments);
        *steps = self.description.steps;
        Ok(())
    }
}

/// The names of what an optimizer remembers of a parameter.
fn moment_names(network: &str, optimizer: &Optimizer, parameter: &str) -> impl Iterator<Item = String> {
    let rule = optimizer.rule();
    rule.moments().iter().map(move |moment| format!("{network}_{}.{moment}.{parameter}", rule.name()))
}

/// The value of each variable, on its device.
fn take_all<'a>(
    from: &mut BTreeMap<String, Tensor>,
    of: &str,
    variables: &'a [(String, Var)],
) -> Result<Vec<(&'a Var, Tensor)>> {
    variables.iter().map(|(name, var)| Ok((var, take(from, format!("{of}.{name}"), var)?))).collect()
}

/// What an optimizer of `steps` steps remembers: nothing before its first.
fn take_moments<N: Network>(
    from: &mut BTreeMap<String, Tensor>,
    of: &str,
    network: &N,
    optimizer: &Optimizer,
    steps: u64,
) -> Result<BTreeMap<String, Vec<Tensor>>> {
    let moved = network.parameters().iter().filter(|_| steps > 0);
    moved
        .map(|(name, var)| {
            let moments = moment_names(of, optimizer, name).map(|moment| take(from, moment, var));
            Ok((name.clone(), moments.collect::<Result<_>>()?))
        })
        .collect()
}

/// The tensor of this name, in the shape of `like` and on its device.
fn take(from: &mut BTreeMap<String, Tensor>, tensor: String, like: &Tensor) -> Result<Tensor> {
    let Some(value) = from.remove(&tensor) else {
        return Err(Error::MissingTensor { tensor });
    };
    if value.shape() != like.shape() {
        let (expected, found) = (like.shape().clone(), value.shape().clone());
        return Err(Error::TensorShape { tensor, expected, found });
    }
    Ok(value.to_device(like.device())?)
}

impl Stored {
    fn new(name: String, tensor: &Tensor) -> Result<Self> {
        let values = finite(&name, tensor.flatten_all()?.to_vec1()?)?;
        let mut bytes = vec![0; 4 * values.len()];
        for (out, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(values) {
            *out = value.to_le_bytes();
        }
        Ok(Self { name, shape: tensor.dims().to_vec(), bytes })
    }
}

fn tensor(name: &str, view: &TensorView) -> Result<Tensor> {
    if view.dtype() != Dtype::F32 {
        return Err(Error::TensorDType { tensor: name.into(), found: view.dtype() });
    }
    let (values, _) = view.data().as_chunks::<4>();
    let values = finite(name, values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())?;
    Ok(Tensor::from_vec(values, view.shape(), &Device::Cpu)?)
}

/// The values, if they are all numbers.
fn finite(tensor: &str, values: Vec<f32>) -> Result<Vec<f32>> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(position) => Err(Error::NotFinite { tensor: tensor.into(), position, found: values[position] }),
        None => Ok(values),
    }
}

/// The digest of all that a file says: the description without its digest, then the tensors in the order of their names.
fn digest<'a>(
    description: &Description,
    tensors: impl Iterator<Item = (&'a str, &'a [usize], &'a [u8])>,
) -> Result<String> {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(json(&Description { sha256: String::new(), ..description.clone() })?.as_bytes());
    for (name, shape, bytes) in tensors {
        part(name.as_bytes());
        part(format!("{shape:?}").as_bytes());
        part(bytes);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn json(description: &Description) -> Result<String> {
    serde_json::to_string(description).map_err(Error::SerializeDescription)
}
