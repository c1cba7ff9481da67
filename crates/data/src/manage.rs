//! A data set's files, looked after: fetched, verified, described.

use crate::catalog::{FILES, Name, Origin};
use crate::download::Progress;
use crate::{Error, Loaded, Request, Result, Source, files, load, locate, synthetic};
use std::path::PathBuf;

/// What [`fetch`] left behind.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The folder that holds the files; none for a data set that is drawn.
    pub folder: Option<PathBuf>,
    /// The files, and which of them were downloaded just now.
    pub files: Vec<FetchedFile>,
}

/// One file of a data set that is now complete.
#[derive(Clone, Debug)]
pub struct FetchedFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Whether it was downloaded just now; otherwise it was there, and is as published.
    pub downloaded: bool,
}

/// Makes sure that a data set is at hand. Where [`load`] would find it, nothing is done; otherwise its files are completed
/// where downloads go, `data_dir/NAME` or else `cache_dir/NAME`: the missing are downloaded, the damaged replaced.
///
/// # Errors
/// The variant of [`Error`] that says what is wrong: [`Error::NotFound`] where a file is needed and `request` is offline.
pub fn fetch(name: Name, request: &Request, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Fetched> {
    let Some(origin) = name.origin() else {
        return Ok(Fetched { folder: None, files: Vec::new() });
    };
    let at_hand = Request { name: Some(name), offline: true, ..request.clone() };
    match load(&at_hand, progress) {
        Ok(loaded) => match loaded.source.folder() {
            Some(folder) => fetched(folder.to_owned(), [false; 4]),
            None => Ok(Fetched { folder: None, files: Vec::new() }),
        },
        Err(error) if request.offline => Err(error),
        Err(_) => complete(&request.origin(origin), request, progress),
    }
}

/// [`fetch`] for a data set that has files.
pub(crate) fn complete(
    origin: &Origin,
    request: &Request,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Fetched> {
    let folder = locate::destination(origin.name, request)?;
    let downloaded = load::obtain(origin, &folder, true, request, progress)?;
    fetched(folder, downloaded)
}

fn fetched(folder: PathBuf, downloaded: [bool; 4]) -> Result<Fetched> {
    let paths = locate::files(&folder)?.ok_or_else(|| Error::MissingFolder { path: folder.clone() })?;
    let files = paths.into_iter().zip(downloaded).map(|(path, downloaded)| {
        let bytes = size(&path)?;
        Ok(FetchedFile { path, bytes, downloaded })
    });
    Ok(Fetched { files: files.collect::<Result<_>>()?, folder: Some(folder) })
}

/// What [`verify`] found out about one file.
#[derive(Debug)]
pub struct Verdict {
    /// The file, or what was drawn.
    pub path: PathBuf,
    /// Whether it is as published.
    pub outcome: Result<()>,
}

/// Looks at each file of a data set, in the first folder that [`load`] would find one in.
///
/// # Errors
/// [`Error::NotFound`] where there is no file at all; what is wrong with a file is in its [`Verdict`].
pub fn verify(name: Name, request: &Request) -> Result<Vec<Verdict>> {
    let Some(origin) = name.origin() else {
        let outcome = synthetic::standard().map(|_| ());
        return Ok(vec![Verdict { path: PathBuf::from(name.as_str()), outcome }]);
    };
    inspect(&origin, request)
}

pub(crate) fn inspect(origin: &Origin, request: &Request) -> Result<Vec<Verdict>> {
    let mut looked = Vec::new();
    for place in locate::places(origin.name, request) {
        let found = FILES.map(|stem| locate::file(&place.folder, stem));
        if found.iter().all(Option::is_none) {
            looked.push(place.folder);
            continue;
        }
        if files::are_anothers(&place, origin) {
            looked.push(place.folder);
            continue;
        }
        let verdict = |(which, path): (usize, Option<PathBuf>)| match path {
            Some(path) => Verdict { outcome: files::verify(&path, which, origin), path },
            None => Verdict {
                path: place.folder.join(FILES[which]),
                outcome: Err(Error::MissingFile { folder: place.folder.clone(), missing: FILES[which] }),
            },
        };
        return Ok(found.into_iter().enumerate().map(verdict).collect());
    }
    Err(Error::NotFound { name: origin.name, looked })
}

/// What there is to say about a data set.
#[derive(Clone, Debug)]
pub struct Info {
    /// What it is called.
    pub name: String,
    /// Where it is.
    pub source: Source,
    /// The number of training images.
    pub train: usize,
    /// The number of test images.
    pub test: usize,
    /// The height of an image.
    pub rows: usize,
    /// The width of an image.
    pub cols: usize,
    /// The size of the four files as they are, compressed or not; 0 where the images are drawn.
    pub bytes: u64,
    /// The name of the content, see [`Dataset::digest`](crate::Dataset::digest).
    pub digest: String,
    /// What each of the ten classes shows.
    pub classes: [&'static str; 10],
}

/// Describes the data set that [`load`] would give, without downloading anything.
///
/// # Errors
/// Those of [`load`] with an offline request.
pub fn info(request: &Request) -> Result<Info> {
    let request = Request { offline: true, ..request.clone() };
    let Loaded { dataset, source, .. } = load(&request, &mut |_| {})?;
    let mut bytes = 0;
    for path in source.folder().map(locate::files).transpose()?.flatten().into_iter().flatten() {
        bytes += size(&path)?;
    }
    Ok(Info {
        name: dataset.name().to_owned(),
        source,
        train: dataset.train().len(),
        test: dataset.test().len(),
        rows: dataset.rows(),
        cols: dataset.cols(),
        bytes,
        digest: dataset.digest(),
        classes: dataset.classes(),
    })
}

fn size(path: &std::path::Path) -> Result<u64> {
    let metadata = std::fs::metadata(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    Ok(metadata.len())
}
