//! What can go wrong between asking for a data set and having it.

use crate::catalog::{FILES, Name};
use crate::dataset::Mismatch;
use crate::download::Attempt;
use crate::idx;
use std::io;
use std::path::PathBuf;

/// A result whose error is this crate's.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no data set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No data set is called so.
    #[error("unknown data set {found:?}: expected one of {}", names())]
    UnknownName {
        /// What was asked for.
        found: String,
    },
    /// The folder that should hold the data is not there.
    #[error("no such folder: {} (it should hold {})", path.display(), expected_files())]
    MissingFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A folder lacks one of the four files.
    #[error("{} lacks {missing}[.gz] (it should hold {})", folder.display(), expected_files())]
    MissingFile {
        /// The folder.
        folder: PathBuf,
        /// The file, without `.gz`.
        missing: &'static str,
    },
    /// The data set is in none of the folders, and nothing may or should be downloaded.
    #[error("{name} is not on this machine (looked in {})", list(looked))]
    NotFound {
        /// The data set.
        name: &'static str,
        /// The folders that were looked in.
        looked: Vec<PathBuf>,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what IDX asks for.
    #[error("{} is damaged or not an IDX file", path.display())]
    Idx {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: idx::Error,
    },
    /// Images and labels do not belong together.
    #[error("{} does not fit its neighbours", path.display())]
    Mismatch {
        /// The file of labels, or the folder.
        path: PathBuf,
        /// What does not fit.
        source: Mismatch,
    },
    /// A file is sound, but it is not the one that the name stands for.
    #[error("{} is not the file that {name} stands for: expected {algorithm} {expected}, found {found}", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// The data set that was asked for.
        name: &'static str,
        /// The kind of digest, and what it is taken of.
        algorithm: &'static str,
        /// The published digest.
        expected: &'static str,
        /// The file's.
        found: String,
    },
    /// A plain file of a data set that is only known by its compressed files.
    #[error("{} cannot be verified: {name} is known by its .gz files, and this one is not compressed \
        (supply the .gz, or give its folder as the data directory without a name)", path.display())]
    Unverifiable {
        /// The file.
        path: PathBuf,
        /// The data set that was asked for.
        name: &'static str,
    },
    /// There is nowhere to download to: no data directory was given, and the user has no cache folder.
    #[error(
        "no folder to download to: the user's cache folder is unknown (no home directory), and no data directory was given"
    )]
    NoCacheFolder,
    /// The folder to download to, or a file in it, cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No mirror gave the file.
    #[error("cannot download {file} of {name}{}", said(attempts))]
    Download {
        /// The data set.
        name: &'static str,
        /// The file.
        file: String,
        /// What each mirror said, in order.
        attempts: Vec<Attempt>,
    },
    /// Drawing gave other bytes than it should: a fault of this library or of the machine.
    #[error("the drawn digits are wrong: expected digest {expected}, found {found}")]
    Drawing {
        /// The pinned digest.
        expected: &'static str,
        /// What was drawn.
        found: String,
    },
    /// The Hugging Face hub does not give the data set.
    #[cfg(feature = "hub")]
    #[error(transparent)]
    Hub(#[from] crate::hub::Error),
    /// The hub gave another data set than the one that was published.
    #[cfg(feature = "hub")]
    #[error("the hub's {name} is another one: expected digest {expected}, found {found}")]
    HubDigest {
        /// The data set that was asked for.
        name: Name,
        /// The published data set's digest.
        expected: &'static str,
        /// The hub's.
        found: String,
    },
    /// candle cannot make the tensor.
    #[error("cannot make the tensor")]
    Tensor(#[from] candle_core::Error),
}

fn names() -> String {
    Name::ALL.map(Name::as_str).join(", ")
}

fn expected_files() -> String {
    format!("{}, each plain or with .gz", FILES.join(", "))
}

fn list(folders: &[PathBuf]) -> String {
    match folders {
        [] => "no folder".to_owned(),
        _ => folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", "),
    }
}

fn said(attempts: &[Attempt]) -> String {
    attempts.iter().map(|attempt| format!("\n  {attempt}")).collect()
}
