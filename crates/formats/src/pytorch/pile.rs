//! The format before PyTorch 1.6: a row of pickles, then the numbers of each storage (`torch/serialization.py`, `_legacy_save`).

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::pickle::{Pickle, Storage, Value};
use super::{Error, Result, tensors};

/// What the first pickle is, a number of ten bytes, and what the second is.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const VERSION: i64 = 1001;

pub(super) fn read(bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
    let other = |found| Error::NotPyTorch { length: bytes.len(), found };
    let is_pickle = matches!(bytes, [0x80, 2..=5, ..]);
    let mut rest = bytes;
    let mut next = || -> Result<Pickle> {
        let pickle = Pickle::read(rest)?;
        rest = &rest[pickle.length..];
        Ok(pickle)
    };
    match is_pickle.then(&mut next).transpose()? {
        None if bytes.get(257..262) == Some(b"ustar") => {
            return Err(other("a tar archive, as PyTorch wrote them before version 0.1.10"));
        }
        None if bytes.get(8) == Some(&b'{') => return Err(other("a safetensors file, it seems")),
        None => return Err(other("neither a zip archive nor a pickle")),
        // What is forbidden is said as such; else this is a pickle of somebody else's.
        Some(first) if !matches!(first.result(), Value::Long(number) if **number == MAGIC) => {
            return Err(other("a pickle that torch.save did not write"));
        }
        Some(_) => {}
    }
    if !matches!(next()?.result(), Value::Int(VERSION)) {
        return Err(other("in a version of its format that is not known"));
    }
    if !is_little_endian(&next()?) {
        return Err(Error::BigEndian);
    }
    let pickle = next()?;
    let keys = next()?;
    let known: BTreeMap<&str, Storage> = pickle.storages().map(|storage| (storage.key, storage)).collect();
    tensors(&pickle, bytes.len(), |asked| {
        let Value::List(order) = keys.result() else {
            return Err(Error::NotAStateDict { found: keys.result().describe() });
        };
        let mut data = BTreeMap::new();
        for &key in order {
            let unknown = || Error::Key { found: keys.get(key).describe() };
            let Value::Text(key) = *keys.get(key) else { return Err(unknown()) };
            let (key, storage) = known.get_key_value(key).ok_or_else(unknown)?;
            let wrong = |expected: usize, found: u64| Error::Entry {
                name: format!("storage {key}"),
                expected: expected as u64,
                found,
            };
            // How many numbers, then the numbers.
            let Some((count, numbers)) = rest.split_first_chunk::<8>() else {
                return Err(wrong(8, rest.len() as u64));
            };
            let count = u64::from_le_bytes(*count);
            if count != storage.count as u64 {
                return Err(wrong(storage.count, count));
            }
            let Some((numbers, after)) = numbers.split_at_checked(storage.bytes()) else {
                return Err(wrong(storage.bytes(), numbers.len() as u64));
            };
            if asked.contains_key(key) {
                data.insert(*key, numbers.to_vec());
            }
            rest = after;
        }
        Ok(data)
    })
}

/// What the third pickle, about the machine, says.
fn is_little_endian(about: &Pickle) -> bool {
    let Value::Dict(entries) = about.result() else { return true };
    !entries.iter().any(|&(key, value)| {
        matches!((about.get(key), about.get(value)), (Value::Text("little_endian"), Value::Bool(false)))
    })
}
