//! Files that are whole or not there.

use std::ffi::OsString;
use std::fs::{self, DirEntry, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Makes the file at `path` of what `write` writes, and puts it in the place of what was there only when it is whole.
pub(crate) fn replace_with(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    put(path, write, |_| Ok(()))
}

/// The one way in which a file comes to be: as a hidden neighbour, which is renamed when `settle` has seen it.
fn put(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
    settle: impl FnOnce(&File) -> io::Result<()>,
) -> Result<()> {
    let partial = partial(path);
    let failed = |source| Error::write(path, source);
    let attempt = || {
        let mut out = BufWriter::new(File::create(&partial).map_err(failed)?);
        write(&mut out)?;
        out.flush().map_err(failed)?;
        settle(out.get_ref()).map_err(failed)?;
        fs::rename(&partial, path).map_err(failed)
    };
    attempt().inspect_err(|_| {
        let _ = fs::remove_file(&partial);
    })
}

/// Makes the file at `path` of these bytes, or leaves what was there.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_with(path, |out| out.write_all(bytes).map_err(|source| Error::write(path, source)))
}

/// The same, and returns when it is on the disk, so that not even a power failure takes it back: what must be there before
/// something else is.
pub(crate) fn persist(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |source| Error::write(path, source);
    put(path, |out| out.write_all(bytes).map_err(failed), File::sync_all)?;
    sync_folder(path.parent().unwrap_or(path)).map_err(failed)
}

/// Returns when the names in a folder are on the disk. Where folders cannot be flushed, renaming has to do.
fn sync_folder(folder: &Path) -> io::Result<()> {
    let here = folder.as_os_str().is_empty();
    match File::open(if here { Path::new(".") } else { folder }).and_then(|folder| folder.sync_all()) {
        Err(error) if cfg!(not(unix)) || error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

/// That the path which a flag names, if it does, has the ending of the only kind of file that is written there.
pub(crate) fn check_ending(flag: &'static str, path: Option<&Path>, ending: &'static str) -> Result<()> {
    let ends = |path: &Path| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
    match path.filter(|path| !ends(path)) {
        Some(path) => Err(Error::Ending { flag, path: path.into(), ending }),
        None => Ok(()),
    }
}

/// The bytes of the file at `path`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::read(path, source))
}

/// What is in the folder at `path`: nothing where there is no folder.
pub(crate) fn entries(path: &Path) -> Result<Vec<DirEntry>> {
    let failed = |source| Error::read(path, source);
    match fs::read_dir(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        entries => entries.map_err(failed)?.map(|entry| entry.map_err(failed)).collect(),
    }
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

/// The name of the file that one of this name was to become.
pub(crate) fn of_partial(name: &str) -> Option<&str> {
    name.strip_prefix('.')?.strip_suffix(".partial")
}
