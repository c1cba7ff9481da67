//! Networks to safetensors files and back.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Device, Shape, Tensor, Var};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Error, Mlp, MlpConfig, Result};

/// The one metadata entry of a file: a [`Description`] as JSON.
///
/// It is one entry because safetensors writes several in the order of a hash map, another one each time, and the same
/// network should make the same bytes.
const METADATA: &str = "ganlet";

/// What a file says of its network.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description<C> {
    network: String,
    config: C,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Generator,
    Discriminator,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Generator => "generator",
            Self::Discriminator => "discriminator",
        }
    }
}

/// A network read from a file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded<N> {
    /// The network.
    pub network: N,
    /// What else the file says.
    pub metadata: BTreeMap<String, String>,
    /// What had to be assumed, as a sentence for the user, where the file does not hold a configuration.
    pub assumed: Option<String>,
}

pub(crate) fn to_bytes<'a>(
    parameters: impl Iterator<Item = (&'a str, &'a Tensor)>,
    kind: Kind,
    config: &impl Serialize,
    extra: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let description = Description { network: kind.name().to_owned(), config, metadata: extra.clone() };
    let json = serde_json::to_string(&description).map_err(Error::SerializeConfig)?;
    let metadata = HashMap::from([(METADATA.to_owned(), json)]);
    let tensors = parameters
        .map(|(name, tensor)| {
            let values = finite(name, tensor.flatten_all()?.to_vec1::<f32>()?)?;
            let bytes: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
            Ok((name, tensor.dims().to_vec(), bytes))
        })
        .collect::<Result<Vec<_>>>()?;
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(Error::Serialize)?;
    safetensors::serialize(views, Some(metadata)).map_err(Error::Serialize)
}

/// Reads a network: its configuration from the metadata or, without any, `infer`red from the widths.
pub(crate) fn from_bytes<C: DeserializeOwned, N>(
    bytes: &[u8],
    device: &Device,
    kind: Kind,
    infer: impl FnOnce(&[usize]) -> Option<C>,
    mlp_config: impl FnOnce(&C) -> MlpConfig,
    build: impl FnOnce(C, Mlp) -> N,
) -> Result<Loaded<N>> {
    let not_safetensors = |source| Error::NotSafetensors { length: bytes.len(), source };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_safetensors)?;
    let file = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
    let wrong_network = |found: String| Error::OtherNetwork { expected: kind.name(), found };
    let (config, metadata, assumed) = match header.metadata().as_ref().and_then(|m| m.get(METADATA)) {
        Some(json) => {
            let description: Description<serde_json::Value> =
                serde_json::from_str(json).map_err(Error::Metadata)?;
            if description.network != kind.name() {
                return Err(wrong_network(description.network));
            }
            let config = serde_json::from_value(description.config).map_err(Error::Metadata)?;
            (config, description.metadata, None)
        }
        None => {
            let widths = widths(&file)?;
            let config =
                infer(&widths).ok_or_else(|| wrong_network(format!("network of widths {widths:?}")))?;
            let assumed = format!(
                "the file holds no configuration: took the widths {widths:?} from its shapes, and the activations \
                 of `classic`"
            );
            (config, BTreeMap::new(), Some(assumed))
        }
    };
    let mlp_config = mlp_config(&config);
    mlp_config.validate()?;
    let parameters = parameters(&file, &mlp_config, device)?;
    let network = build(config, Mlp::from_parameters(mlp_config, parameters));
    Ok(Loaded { network, metadata, assumed })
}

/// The image taken for granted where a file does not say: a square where that is possible, else one row.
pub(crate) fn image_of(pixels: usize) -> [usize; 2] {
    let side = pixels.isqrt();
    if side * side == pixels { [side, side] } else { [1, pixels] }
}

/// The widths of the layers `0`, `2`, `4`, ... that are there.
fn widths(file: &SafeTensors) -> Result<Vec<usize>> {
    let mut widths = Vec::new();
    for layer in 0.. {
        let name = format!("{}.weight", 2 * layer);
        let Ok(weight) = file.tensor(&name) else { break };
        let &[outputs, inputs] = weight.shape() else {
            return Err(Error::NotAMatrix { tensor: name, found: Shape::from(weight.shape()) });
        };
        if widths.is_empty() {
            widths.push(inputs);
        }
        widths.push(outputs);
    }
    if widths.is_empty() {
        return Err(Error::MissingTensor { tensor: "0.weight".to_owned() });
    }
    Ok(widths)
}

/// The parameters that `config` calls for, each checked before anything of its size is allocated.
fn parameters(file: &SafeTensors, config: &MlpConfig, device: &Device) -> Result<Vec<(String, Var)>> {
    let mut parameters = Vec::new();
    for (name, expected) in config.parameters() {
        let Ok(view) = file.tensor(&name) else {
            return Err(Error::MissingTensor { tensor: name });
        };
        if view.shape() != expected {
            return Err(Error::TensorShape {
                tensor: name,
                expected: Shape::from(expected),
                found: Shape::from(view.shape()),
            });
        }
        if view.dtype() != Dtype::F32 {
            return Err(Error::TensorDType { tensor: name, found: view.dtype() });
        }
        let values: Vec<f32> =
            view.data().as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        let values = finite(&name, values)?;
        parameters.push((name, Var::from_vec(values, expected, device)?));
    }
    let unexpected = file.names().into_iter().find(|name| !parameters.iter().any(|(known, _)| known == name));
    match unexpected {
        Some(tensor) => Err(Error::UnexpectedTensor { tensor: tensor.to_owned() }),
        None => Ok(parameters),
    }
}

/// The values, if they are all numbers.
fn finite(tensor: &str, values: Vec<f32>) -> Result<Vec<f32>> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(position) => {
            Err(Error::NotFinite { tensor: tensor.to_owned(), position, found: values[position] })
        }
        None => Ok(values),
    }
}
