//! PyTorch's state dicts: what `torch.save(G.state_dict(), 'G.ckpt')` wrote, read as data.
//!
//! Such a file is a pickle, which in Python may call any function there is. Here it may name the things that a state dict is
//! made of (`GLOBALS` below) and nothing else, and not even those are called: they say which bytes are whose numbers.
//!
//! Both of PyTorch's formats are read: the zip archive of version 1.6 and later, and the row of pickles of those before. A file costs
//! memory in proportion to its length, whatever it says.

mod archive;
mod chain;
mod error;
mod pickle;
mod pile;

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

pub use chain::{Linear, linear_layers};
pub use error::{Error, Result};
use pickle::{Global, Kind, Pickle, Storage, Value, View};

/// The tensors of a state dict in the order of the file, each with its name: f32, on the CPU.
///
/// The numbers may be of 16, 32 or 64 bits in the file, and the tensors views of each other.
///
/// # Errors
/// When the bytes are no such file, or name anything that a state dict is not made of: a variant of [`enum@Error`] per way.
pub fn state_dict(bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
    match bytes.starts_with(b"PK") {
        true => archive::read(bytes),
        false => pile::read(bytes),
    }
}

/// The tensors that the pickle names, their numbers from `storages`, which gives the bytes of those that are asked for.
fn tensors<'a>(
    pickle: &Pickle<'a>,
    limit: usize,
    storages: impl FnOnce(&BTreeMap<&'a str, Storage<'a>>) -> Result<BTreeMap<&'a str, Vec<u8>>>,
) -> Result<Vec<(String, Tensor)>> {
    let named = views(pickle)?;

    // Before anything is made: in a file that PyTorch wrote, no number stands for many.
    let mut asked = BTreeMap::new();
    let mut elements = 0usize;
    for (_, view) in &named {
        elements = elements.saturating_add(view.elements());
        if let Some(other) = asked.insert(view.storage.key, view.storage)
            && other != view.storage
        {
            return Err(Error::StorageTwice { key: view.storage.key.to_owned() });
        }
    }
    let stored = asked.values().fold(0usize, |sum, storage| sum.saturating_add(storage.bytes()));
    if elements.max(stored) > limit {
        return Err(Error::TooMany { numbers: elements, length: limit });
    }

    let data = storages(&asked)?;
    let values = |name: &str, view: &View| {
        let bytes = data.get(view.storage.key).map_or(&[][..], Vec::as_slice);
        view.values(bytes).ok_or_else(|| Error::View { tensor: name.to_owned() })
    };
    named
        .into_iter()
        .map(|(name, view)| {
            Ok((name.to_owned(), Tensor::from_vec(values(name, view)?, view.shape.clone(), &Device::Cpu)?))
        })
        .collect()
}

/// The views in the dictionary that the pickle is.
fn views<'p, 'a>(pickle: &'p Pickle<'a>) -> Result<Vec<(&'a str, &'p View<'a>)>> {
    let Value::Dict(entries) = pickle.result() else {
        return Err(Error::NotAStateDict { found: pickle.result().describe() });
    };
    let mut views: Vec<(&str, &View)> = Vec::new();
    let mut dictionaries = Vec::new();
    for &(key, value) in entries {
        let name = match pickle.get(key) {
            Value::Text(name) => *name,
            other => return Err(Error::Key { found: other.describe() }),
        };
        match pickle.get(value) {
            Value::Tensor(view) => match view.storage.kind {
                Kind::Float(_) => views.push((name, view)),
                Kind::Other(found, _) => {
                    return Err(Error::DType { tensor: name.to_owned(), found: found.to_owned() });
                }
            },
            Value::Dict(_) => dictionaries.push(name.to_owned()),
            _ => {}
        }
    }
    // What else a dictionary of tensors may hold is not of the network: a number of epochs, say.
    match views.is_empty() {
        true => Err(Error::NoTensors { dictionaries }),
        false => Ok(views),
    }
}

/// What the globals of a pickle may be: a state dict needs no others.
const GLOBALS: &[(&str, Global)] = &[
    ("collections.OrderedDict", Global::OrderedDict),
    ("torch._utils._rebuild_tensor", Global::RebuildTensor),
    ("torch._utils._rebuild_tensor_v2", Global::RebuildTensor),
    ("torch._utils._rebuild_parameter", Global::RebuildParameter),
    ("torch.FloatStorage", Global::Storage(Kind::Float(pickle::Float::F32))),
    ("torch.DoubleStorage", Global::Storage(Kind::Float(pickle::Float::F64))),
    ("torch.HalfStorage", Global::Storage(Kind::Float(pickle::Float::F16))),
    ("torch.BFloat16Storage", Global::Storage(Kind::Float(pickle::Float::BF16))),
    ("torch.LongStorage", Global::Storage(Kind::Other("torch.LongStorage", 8))),
    ("torch.IntStorage", Global::Storage(Kind::Other("torch.IntStorage", 4))),
    ("torch.ShortStorage", Global::Storage(Kind::Other("torch.ShortStorage", 2))),
    ("torch.CharStorage", Global::Storage(Kind::Other("torch.CharStorage", 1))),
    ("torch.ByteStorage", Global::Storage(Kind::Other("torch.ByteStorage", 1))),
    ("torch.BoolStorage", Global::Storage(Kind::Other("torch.BoolStorage", 1))),
];
