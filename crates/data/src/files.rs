//! The four files of a data set: read, checked and joined.

use crate::catalog::{Digest, FILES, Name, Origin, RANKS};
use crate::dataset::{Dataset, Split, content_hash};
use crate::locate::{self, Place};
use crate::{Error, Result, gzip, hash, idx};
use std::path::{Path, PathBuf};

/// One file.
struct Content {
    array: idx::Array,
    /// Of the file as it is, where it is gzip and somebody wants to know.
    md5: Option<String>,
}

/// A data set as its four files give it, not yet known to be any particular one.
pub(crate) struct Files {
    paths: [PathBuf; 4],
    md5s: [Option<String>; 4],
    pub(crate) dataset: Dataset,
}

impl Files {
    /// Reads the four files at once. `md5` says whether [`Digest::GzipMd5`] will be asked for.
    pub(crate) fn read(paths: [PathBuf; 4], md5: bool) -> Result<Self> {
        let read = |which: usize| {
            let bytes = read(&paths[which])?;
            content(&bytes, &paths[which], which, md5)
        };
        let split = |images: usize| {
            let labels = images + 1;
            let (of_images, of_labels) = rayon::join(|| read(images), || read(labels));
            let (of_images, of_labels) = (of_images?, of_labels?);
            let split = Split::new(of_images.array, of_labels.array)
                .map_err(|source| Error::Mismatch { path: paths[labels].clone(), source })?;
            Ok::<_, Error>((split, of_images.md5, of_labels.md5))
        };
        let (train, test) = rayon::join(|| split(0), || split(2));
        let ((train, a, b), (test, c, d)) = (train?, test?);
        let dataset = Dataset::new("custom", train, test).map_err(|source| {
            let path = paths[0].parent().unwrap_or(&paths[0]).to_owned();
            Error::Mismatch { path, source }
        })?;
        Ok(Self { paths, md5s: [a, b, c, d], dataset })
    }

    /// Fails unless each file is the one that `origin` publishes.
    pub(crate) fn check(&self, origin: &Origin) -> Result<()> {
        let hashes = [self.dataset.train().sha256(), self.dataset.test().sha256()];
        for (which, sha256) in hashes.into_iter().flatten().enumerate() {
            check(&self.paths[which], sha256, self.md5s[which].as_deref(), which, origin)?;
        }
        Ok(())
    }

    /// The named data set that these files are, where they are one.
    pub(crate) fn identify(&self) -> Option<Name> {
        Name::ALL.into_iter().find(|name| match name.origin() {
            Some(origin) => self.check(&origin).is_ok(),
            None => self.dataset.digest() == crate::synthetic::DIGEST,
        })
    }
}

/// Whether the files in `place` are not those of `origin` but of another data set that is known, and may be there: the
/// folder does not bear a name. Files that cannot be read are nobody's.
pub(crate) fn are_anothers(place: &Place, origin: &Origin) -> bool {
    let read = || Files::read(locate::files(&place.folder).ok()??, true).ok();
    !place.own && read().is_some_and(|files| files.check(origin).is_err() && files.identify().is_some())
}

/// Fails unless the file is number `which` of `origin`'s.
pub(crate) fn verify(path: &Path, which: usize, origin: &Origin) -> Result<()> {
    verify_bytes(&read(path)?, path, which, origin)
}

/// The same for the bytes of a file; the path is for the error.
pub(crate) fn verify_bytes(bytes: &[u8], path: &Path, which: usize, origin: &Origin) -> Result<()> {
    let content = content(bytes, path, which, true)?;
    check(path, &content_hash(&content.array), content.md5.as_deref(), which, origin)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

fn content(bytes: &[u8], path: &Path, which: usize, md5: bool) -> Result<Content> {
    let array =
        idx::read_rank(bytes, RANKS[which]).map_err(|source| Error::Idx { path: path.to_owned(), source })?;
    let md5 = (md5 && gzip::is_gzip(bytes)).then(|| hash::md5(bytes));
    Ok(Content { array, md5 })
}

fn check(path: &Path, sha256: &[u8; 32], md5: Option<&str>, which: usize, origin: &Origin) -> Result<()> {
    debug_assert!(which < FILES.len());
    let name = origin.name;
    let (algorithm, expected, found) = match (origin.digests[which], md5) {
        (Digest::Content(expected), _) => ("the content's SHA-256", expected, hash::hex(sha256)),
        (Digest::GzipMd5(expected), Some(md5)) => ("the MD5", expected, md5.to_owned()),
        (Digest::GzipMd5(_), None) => {
            return Err(Error::Unverifiable { path: path.to_owned(), name });
        }
    };
    if found != expected {
        return Err(Error::Digest { path: path.to_owned(), name, algorithm, expected, found });
    }
    Ok(())
}
