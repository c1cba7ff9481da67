//! The format of PyTorch 1.6 and later: a zip archive of a pickle, and a file of numbers for each storage.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use candle_core::Tensor;
use zip::ZipArchive;

use super::pickle::Pickle;
use super::{Error, Result, tensors};

/// The pickle, in the one folder of the archive.
const PICKLE: &str = "/data.pkl";

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

pub(super) fn read(bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(Error::Archive)?;
    let folder = archive.file_names().find_map(|name| Some(name.ok()?.strip_suffix(PICKLE)?.to_owned()));
    let Some(folder) = folder else {
        return Err(Error::NotPyTorch { length: bytes.len(), found: "a zip archive without a data.pkl" });
    };
    // Older archives do not say; then they are little-endian.
    let order = format!("{folder}/byteorder");
    if archive.index_for_name(&order).is_some() && entry(&mut archive, &order, bytes.len())? == b"big" {
        return Err(Error::BigEndian);
    }
    let pickle = entry(&mut archive, &format!("{folder}{PICKLE}"), bytes.len())?;
    tensors(&Pickle::read(&pickle)?, bytes.len(), |storages| {
        let mut data = BTreeMap::new();
        for (&key, storage) in storages {
            let name = format!("{folder}/data/{key}");
            let content = entry(&mut archive, &name, bytes.len())?;
            let (expected, found) = (storage.bytes() as u64, content.len() as u64);
            if found != expected {
                return Err(Error::Entry { name, expected, found });
            }
            data.insert(key, content);
        }
        Ok(data)
    })
}

/// A file of the archive, which is not compressed, so not longer than the archive.
fn entry(archive: &mut Archive, name: &str, limit: usize) -> Result<Vec<u8>> {
    let file = archive.by_name(name).map_err(Error::Archive)?;
    let size = file.size();
    if size > limit as u64 {
        return Err(Error::Entry { name: name.to_owned(), expected: limit as u64, found: size });
    }
    let mut content = Vec::new();
    // To the end, where the checksum is compared.
    file.take(limit as u64).read_to_end(&mut content).map_err(|error| Error::Archive(error.into()))?;
    Ok(content)
}
