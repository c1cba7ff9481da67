//! From a request to a data set: looked for, downloaded or drawn.

use crate::catalog::{Name, Origin};
use crate::download::{self, Patience, Progress};
use crate::files::Files;
use crate::locate::{self, Kind};
use crate::{Dataset, Error, Result, synthetic};
use std::path::{Path, PathBuf};

/// What is wanted, and where to look for it.
///
/// A named data set is looked for in `data_dir`, `env_dir` and `cache_dir`, in this order: in each in the subfolder that
/// bears its name and, but for the cache, in the folder itself. Where it is in none of them, it is downloaded to
/// `data_dir/NAME` if there is a `data_dir`, and to `cache_dir/NAME` otherwise.
///
/// `Request::default()` names no folder, knows nothing of the environment, and would download.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The data set. With none, it is the files in `data_dir`, whatever they are; without `data_dir` either, it is MNIST
    /// where that can be had, and the synthetic digits otherwise.
    pub name: Option<Name>,
    /// The folder that the user gives for this one call.
    pub data_dir: Option<PathBuf>,
    /// The folder that the user's environment gives.
    pub env_dir: Option<PathBuf>,
    /// The folder for what is downloaded.
    pub cache_dir: Option<PathBuf>,
    /// An address to download from in place of the data set's own mirrors: the files are `MIRROR/NAME/FILE.gz`.
    pub mirror: Option<String>,
    /// Whether the network must not be touched.
    pub offline: bool,
    /// How long to wait for the network.
    pub patience: Patience,
}

impl Request {
    /// A request with what the environment says: `env_dir` is `GANLET_DATA_DIR`, `mirror` is `GANLET_MIRROR`, and
    /// `cache_dir` is the folder `ganlet` in the user's cache folder.
    pub fn from_env() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            env_dir: variable("GANLET_DATA_DIR").map(PathBuf::from),
            cache_dir: dirs::cache_dir().map(|dir| dir.join("ganlet")),
            mirror: variable("GANLET_MIRROR").map(|value| value.to_string_lossy().into_owned()),
            ..Self::default()
        }
    }

    /// Where to download from; the mirror that was asked for replaces the known ones.
    pub(crate) fn origin(&self, mut origin: Origin) -> Origin {
        if let Some(base) = &self.mirror {
            origin.mirrors = vec![format!("{}/{}", base.trim_end_matches('/'), origin.name)];
        }
        origin
    }
}

/// Where a data set came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Files in a folder that the user named.
    Folder(PathBuf),
    /// Files in the cache folder.
    Cache(PathBuf),
    /// Files that were downloaded, and now are in this folder.
    Downloaded(PathBuf),
    /// Drawn on the fly.
    Drawn,
}

impl Source {
    /// The folder that holds the files.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) | Self::Cache(folder) | Self::Downloaded(folder) => Some(folder),
            Self::Drawn => None,
        }
    }
}

/// A data set, and how it was come by.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The data set.
    pub dataset: Dataset,
    /// Where it came from.
    pub source: Source,
    /// Why it is not MNIST, where no data set was asked for and MNIST could not be had: something to warn of.
    pub fallback: Option<String>,
}

/// Gives the data set that `request` asks for, downloading it where need be; `progress` is told of each piece.
///
/// A data set asked for by name is that data set, byte for byte as it was published, or an error. Files that are present
/// and not as they should be are always an error: they are neither replaced (see [`fetch`](crate::fetch)) nor passed over,
/// but that a folder given for another data set may hold one in its top level.
///
/// # Errors
/// The variant of [`Error`] that says what is wrong.
pub fn load(request: &Request, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Loaded> {
    match (request.name, &request.data_dir) {
        (Some(name), _) => named(name, request, progress),
        (None, Some(dir)) => folder(dir, request),
        (None, None) => named(Name::Mnist, request, progress).or_else(|error| match error {
            Error::NotFound { .. } | Error::NoCacheFolder | Error::Write { .. } | Error::Download { .. } => {
                Ok(Loaded { fallback: Some(error.to_string()), ..drawn()? })
            }
            // A download was cut short, and now there is no network.
            Error::MissingFile { ref folder, .. }
                if request.cache_dir.as_ref().is_some_and(|cache| folder.starts_with(cache)) =>
            {
                Ok(Loaded { fallback: Some(error.to_string()), ..drawn()? })
            }
            error => Err(error),
        }),
    }
}

fn named(name: Name, request: &Request, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Loaded> {
    match name.origin() {
        Some(origin) => published(&request.origin(origin), name, request, progress),
        None => drawn(),
    }
}

fn drawn() -> Result<Loaded> {
    Ok(Loaded { dataset: synthetic::standard()?, source: Source::Drawn, fallback: None })
}

/// A folder of the user's own: the files in it, or else the first data set in a subfolder that bears its name.
fn folder(dir: &Path, request: &Request) -> Result<Loaded> {
    if !dir.is_dir() {
        return Err(Error::MissingFolder { path: dir.to_owned() });
    }
    let Some(paths) = locate::files(dir)? else {
        let there = |name: &Name| matches!(locate::files(&dir.join(name.as_str())), Ok(Some(_)));
        return match Name::ALL.into_iter().find(there) {
            Some(name) => named(name, request, &mut |_| {}),
            None => Err(Error::MissingFile { folder: dir.to_owned(), missing: crate::catalog::FILES[0] }),
        };
    };
    let mut files = Files::read(paths, true)?;
    if let Some(name) = files.identify() {
        files.dataset.rename(name.as_str());
    }
    Ok(Loaded { dataset: files.dataset, source: Source::Folder(dir.to_owned()), fallback: None })
}

/// A data set that has files.
pub(crate) fn published(
    origin: &Origin,
    name: Name,
    request: &Request,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Loaded> {
    // Nothing is ever written there, so it was meant to be there.
    if let Some(path) = request.env_dir.as_ref().filter(|dir| request.data_dir.is_none() && !dir.exists()) {
        return Err(Error::MissingFolder { path: path.clone() });
    }
    let destination = locate::destination(origin.name, request);
    let mut looked = Vec::new();
    for place in locate::places(origin.name, request) {
        let paths = match locate::files(&place.folder) {
            Ok(paths) => paths,
            // What is missing can be downloaded.
            Err(_)
                if !request.offline && destination.as_ref().is_ok_and(|folder| *folder == place.folder) =>
            {
                break;
            }
            Err(error) => return Err(error),
        };
        let Some(paths) = paths else {
            looked.push(place.folder);
            continue;
        };
        let files = Files::read(paths, origin.wants_md5() || !place.own)?;
        match files.check(origin) {
            Ok(()) => {
                let source = match place.kind {
                    Kind::Named => Source::Folder(place.folder),
                    Kind::Cache => Source::Cache(place.folder),
                };
                return Ok(loaded(files, name, source));
            }
            Err(_) if !place.own && files.identify().is_some() => looked.push(place.folder),
            Err(error) => return Err(error),
        }
    }
    if request.offline {
        return Err(Error::NotFound { name: origin.name, looked });
    }
    let folder = destination?;
    obtain(origin, &folder, false, request, progress)?;
    let paths = locate::files(&folder)?.ok_or_else(|| Error::MissingFolder { path: folder.clone() })?;
    let files = Files::read(paths, origin.wants_md5())?;
    files.check(origin)?;
    Ok(loaded(files, name, Source::Downloaded(folder)))
}

/// Completes the four files in `folder`, and says which were downloaded; `repair` replaces damaged ones.
pub(crate) fn obtain(
    origin: &Origin,
    folder: &Path,
    repair: bool,
    request: &Request,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<[bool; 4]> {
    let downloaded = download::missing(origin, folder, repair, &request.patience, progress);
    #[cfg(feature = "hub")]
    if let (Err(Error::Download { .. }), None, Ok(name)) = (&downloaded, &request.mirror, origin.name.parse())
    {
        let hub = |error| crate::hub::instead(error, name, folder, &request.patience).map(|()| [true; 4]);
        return downloaded.or_else(hub);
    }
    downloaded
}

fn loaded(mut files: Files, name: Name, source: Source) -> Loaded {
    files.dataset.rename(name.as_str());
    Loaded { dataset: files.dataset, source, fallback: None }
}

#[cfg(test)]
mod tests;
