//! candle-datasets: its data sets as ours, from the Hugging Face hub, and ours as its.
//!
//! To [`load`](crate::load), the hub is one more mirror, the last; here it can be asked by itself.
//!
//! The hub is where `HF_ENDPOINT` says, or `https://huggingface.co`; what was downloaded once is kept in the hub's own
//! cache. Its client waits for ever for a server that does not answer. [`load`] does not.

use crate::catalog::FILES;
use crate::download::{self, Attempt, Fault, Patience};
use crate::{Dataset, Mismatch, Name, Result, Split, idx};
use candle_core::{DType, Device, Tensor};
use candle_datasets::vision;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// What can go wrong with the hub, beside what can go wrong with any data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// candle-datasets knows no such data set.
    #[error("{name} is not on the hub: expected mnist or fashion-mnist")]
    NotThere {
        /// What was asked for.
        name: Name,
    },
    /// The hub does not answer.
    #[error("the hub cannot be reached at {endpoint} (HF_ENDPOINT names another)")]
    Unreachable {
        /// Where it should be.
        endpoint: String,
        /// What became of the request.
        source: Fault,
    },
    /// The hub answers, but the data do not come.
    #[error("the hub gave no data set in {:.0} s", waited.as_secs_f32())]
    Stalled {
        /// How long was waited.
        waited: Duration,
    },
    /// candle-datasets cannot read what it was given.
    #[error("candle-datasets failed on what the hub gave")]
    Failed(#[source] Option<candle_core::Error>),
    /// The images are not square, so that their rows are unknown.
    #[error("images of {found} pixels are not square")]
    NotSquare {
        /// The number of pixels.
        found: usize,
    },
    /// Images and labels do not belong together.
    #[error("the hub's data set is wrong")]
    Mismatch(#[from] Mismatch),
    /// The arrays are empty.
    #[error("the hub's data set is wrong")]
    Array(#[from] idx::Error),
}

/// Gives `mnist` or `fashion-mnist` from the hub, or from the hub's cache on this machine.
///
/// It is the data set that was published, as its digests say; the hub's form of it is another one (PNG in parquet).
///
/// # Errors
/// [`crate::Error::Hub`]: where the hub does not answer, within [`Patience::answer`]; [`crate::Error::HubDigest`], where
/// the data set is another one.
pub fn load(name: Name, patience: &Patience) -> Result<Dataset> {
    let load = match name {
        Name::Mnist => vision::mnist::load,
        Name::FashionMnist => vision::fashion_mnist::load,
        name => return Err(Error::NotThere { name }.into()),
    };
    let begun = Instant::now();
    let (sender, receiver) = mpsc::sync_channel(1);
    // A thread of its own: it may hang, and candle-datasets may panic on damaged pictures.
    let spawned = thread::Builder::new().name("hub".to_owned()).spawn(move || {
        let _ = sender.send(load());
    });
    spawned.map_err(|source| Error::Failed(Some(source.into())))?;

    let endpoint = endpoint();
    let probed = download::probe(&endpoint, patience.answer / 2);
    // A data set in the hub's cache needs no hub, and little time.
    let wait = match probed {
        Ok(()) => patience.file,
        Err(_) => patience.answer.saturating_sub(begun.elapsed()),
    };
    let set = match (receiver.recv_timeout(wait), probed) {
        (Ok(Ok(set)), _) => set,
        (Ok(Err(source)), Ok(())) => return Err(Error::Failed(Some(source)).into()),
        (Err(RecvTimeoutError::Timeout), Ok(())) => return Err(Error::Stalled { waited: wait }.into()),
        (Err(RecvTimeoutError::Disconnected), Ok(())) => return Err(Error::Failed(None).into()),
        (_, Err(source)) => return Err(Error::Unreachable { endpoint, source }.into()),
    };
    let dataset = from_vision(name.as_str(), &set)?;
    match name.digest() {
        Some(expected) if dataset.digest() != expected => {
            Err(crate::Error::HubDigest { name, expected, found: dataset.digest() })
        }
        _ => Ok(dataset),
    }
}

/// Where the hub is.
fn endpoint() -> String {
    std::env::var("HF_ENDPOINT").unwrap_or_else(|_| "https://huggingface.co".to_owned())
}

/// What may be done about a failed download: the hub's data set, written to `folder` as if it had been downloaded.
///
/// # Errors
/// The given error, with one more attempt; [`crate::Error::Write`].
pub(crate) fn instead(error: crate::Error, name: Name, folder: &Path, patience: &Patience) -> Result<()> {
    // All mirrors may have been waited for: the hub must be quicker.
    let brief = Patience { answer: patience.answer / 4, ..patience.clone() };
    let dataset = match (load(name, &brief), error) {
        (Ok(dataset), _) => dataset,
        (Err(source), crate::Error::Download { name, file, mut attempts }) => {
            attempts.push(Attempt { url: endpoint(), fault: Fault::Hub { source: Box::new(source) } });
            return Err(crate::Error::Download { name, file, attempts });
        }
        (Err(_), error) => return Err(error),
    };
    store(&dataset, folder)
}

/// Writes the four files, compressed.
fn store(dataset: &Dataset, folder: &Path) -> Result<()> {
    let [(a, b), (c, d)] = [dataset.train().to_idx(), dataset.test().to_idx()];
    for (stem, array) in FILES.iter().zip([a, b, c, d]) {
        let path = folder.join(format!("{stem}.gz"));
        let write = || -> io::Result<()> {
            let mut file = download::temporary(folder)?;
            file.write_all(&array.to_gzip())?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|source| crate::Error::Write { path: path.clone(), source })?;
    }
    Ok(())
}

/// Our form of one of candle-datasets' sets of square grey images: `(N, side * side)` f32 in `[0, 1]`.
///
/// # Errors
/// [`crate::Error::Hub`], where the images are not square or do not fit the labels; those of candle.
pub fn from_vision(name: &str, set: &vision::Dataset) -> Result<Dataset> {
    let train = split(&set.train_images, &set.train_labels)?;
    let test = split(&set.test_images, &set.test_labels)?;
    Ok(Dataset::new(name, train, test).map_err(Error::from)?)
}

fn split(images: &Tensor, labels: &Tensor) -> Result<Split> {
    let (n, pixels) = images.dims2()?;
    let side = pixels.isqrt();
    if side * side != pixels {
        return Err(Error::NotSquare { found: pixels }.into());
    }
    let bytes = images.affine(255., 0.5)?.clamp(0f32, 255f32)?.to_dtype(DType::U8)?.flatten_all()?;
    let images = idx::Array::new(vec![n, side, side], bytes.to_vec1()?).map_err(Error::from)?;
    let labels: Vec<u8> = labels.to_dtype(DType::U8)?.to_vec1()?;
    let labels = idx::Array::new(vec![labels.len()], labels).map_err(Error::from)?;
    Ok(Split::new(images, labels).map_err(Error::from)?)
}

/// candle-datasets' form of one of our data sets: images `(N, rows * cols)` f32 in `[0, 1]`, labels `(N,)` u8.
///
/// # Errors
/// Those of candle.
pub fn to_vision(dataset: &Dataset, device: &Device) -> Result<vision::Dataset> {
    let images =
        |split: &Split| -> Result<Tensor> { Ok((split.images(device)?.to_dtype(DType::F32)? / 255.)?) };
    Ok(vision::Dataset {
        train_images: images(dataset.train())?,
        train_labels: dataset.train().labels(device)?,
        test_images: images(dataset.test())?,
        test_labels: dataset.test().labels(device)?,
        labels: usize::from(crate::MAX_LABEL) + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_hub_gave_is_kept_as_if_it_had_been_downloaded() {
        let dir = tempfile::tempdir().unwrap();
        let dataset = crate::testing::dataset();
        store(&dataset, dir.path()).unwrap();
        let paths = crate::locate::files(dir.path()).unwrap().unwrap();
        assert_eq!(crate::files::Files::read(paths, false).unwrap().dataset.digest(), dataset.digest());
    }
}
