//! Digits drawn on the fly.

use crate::{Dataset, Result, Split, idx};

/// The digest of the standard data set.
pub const DIGEST: &str = "";

/// The standard data set: 60,000 training images and 10,000 test images, 28x28.
///
/// # Errors
/// [`Error::Drawing`](crate::Error::Drawing).
pub fn standard() -> Result<Dataset> {
    Ok(digits(60_000, 10_000))
}

/// A data set of any size, at least one image each.
pub fn digits(train: usize, test: usize) -> Dataset {
    Dataset::trusted("synthetic-digits", split(train.max(1)), split(test.max(1)))
}

fn split(n: usize) -> Split {
    let images = idx::Array::trusted(vec![n, 28, 28], (0..n * 784).map(|i| (i * i / 7) as u8).collect());
    let labels = idx::Array::trusted(vec![n], (0..n).map(|i| (i % 10) as u8).collect());
    Split::trusted(images, labels, 28, 28)
}
