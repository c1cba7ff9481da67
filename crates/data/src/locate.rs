//! Which folders to look in, and what a file may be called there.

use crate::catalog::FILES;
use crate::{Error, Request, Result};
use std::path::{Path, PathBuf};

/// Where a folder came from: it decides whether files may be downloaded into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The user named the folder.
    Named,
    /// The user's cache.
    Cache,
}

/// A folder to look in for a data set.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) kind: Kind,
    /// Whether the folder bears the data set's name; one that does not may well hold another data set.
    pub(crate) own: bool,
}

/// The folders to look in, in order.
pub(crate) fn places(name: &str, request: &Request) -> Vec<Place> {
    let named = [&request.data_dir, &request.env_dir];
    let named = named.into_iter().flatten().flat_map(|dir| {
        [(dir.join(name), true), (dir.clone(), false)].map(|(folder, own)| Place {
            folder,
            kind: Kind::Named,
            own,
        })
    });
    let cache =
        request.cache_dir.iter().map(|dir| Place { folder: dir.join(name), kind: Kind::Cache, own: true });
    named.chain(cache).collect()
}

/// The folder to download to.
pub(crate) fn destination(name: &str, request: &Request) -> Result<PathBuf> {
    let base = request.data_dir.as_ref().or(request.cache_dir.as_ref());
    Ok(base.ok_or(Error::NoCacheFolder)?.join(name))
}

/// The path of file `stem` in `folder`, where it is there under any of its names.
///
/// The compressed form goes first: it is the one that was published.
pub(crate) fn file(folder: &Path, stem: &str) -> Option<PathBuf> {
    // Some archives spell `train-images.idx3-ubyte`.
    let dotted = stem.replacen("-idx", ".idx", 1);
    [format!("{stem}.gz"), format!("{dotted}.gz"), stem.to_owned(), dotted]
        .into_iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

/// The paths of the four files, or `None` where not one is there.
///
/// # Errors
/// [`Error::MissingFile`], where some are there and one is not.
pub(crate) fn files(folder: &Path) -> Result<Option<[PathBuf; 4]>> {
    let found = FILES.map(|stem| file(folder, stem));
    if found.iter().all(Option::is_none) {
        return Ok(None);
    }
    let missing = FILES.iter().zip(&found).find(|(_, path)| path.is_none());
    if let Some((&missing, _)) = missing {
        return Err(Error::MissingFile { folder: folder.to_owned(), missing });
    }
    Ok(Some(found.map(Option::unwrap_or_default)))
}
