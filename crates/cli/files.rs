//! Files that are whole or not there.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Makes the file at `path` of what `write` writes, and puts it in the place of what was there only when it is whole.
pub(crate) fn replace_with(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    let partial = partial(path);
    let attempt = || {
        let file = File::create(&partial).map_err(|source| Error::write(path, source))?;
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush().map_err(|source| Error::write(path, source))?;
        fs::rename(&partial, path).map_err(|source| Error::write(path, source))
    };
    attempt().inspect_err(|_| {
        let _ = fs::remove_file(&partial);
    })
}

/// Makes the file at `path` of these bytes, or leaves what was there.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_with(path, |out| out.write_all(bytes).map_err(|source| Error::write(path, source)))
}

/// The bytes of the file at `path`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::read(path, source))
}

/// Makes the folder at `path`, and those above it, where they are not there.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|source| Error::write(path, source))
}

/// Removes the file at `path`, which may be gone already.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::write(path, source)),
        _ => Ok(()),
    }
}

/// Where the file at `path` grows: a hidden neighbour, so that renaming it is one step of the file system.
fn partial(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".partial");
    path.with_file_name(name)
}
