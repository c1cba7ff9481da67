//! Images with their labels, checked once and trusted from then on.

use crate::{Result, hash, idx};
use candle_core::{Device, Tensor};
use sha2::{Digest as _, Sha256};

/// The highest label: there are ten classes.
pub const MAX_LABEL: u8 = 9;

/// Each way in which images and labels can fail to make a [`Split`], or two splits a [`Dataset`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The images are not `(N, rows, cols)`.
    #[error("images have 3 dimensions, these have {found}")]
    ImageRank {
        /// How many there are.
        found: usize,
    },
    /// The labels are not `(N)`.
    #[error("labels have 1 dimension, these have {found}")]
    LabelRank {
        /// How many there are.
        found: usize,
    },
    /// There are more labels than images, or fewer.
    #[error("{images} images need as many labels, found {labels}")]
    Count {
        /// How many images there are.
        images: usize,
        /// How many labels there are.
        labels: usize,
    },
    /// A label stands for no class.
    #[error("label {index} is out of range: expected 0 to {MAX_LABEL}, found {found}")]
    Label {
        /// Which label, counted from 0.
        index: usize,
        /// What it is.
        found: u8,
    },
    /// Training and test images differ in size.
    #[error("training images are {}x{} and test images {}x{}: they must agree", train.0, train.1, test.0, test.1)]
    Size {
        /// Rows and columns of the training images.
        train: (usize, usize),
        /// Rows and columns of the test images.
        test: (usize, usize),
    },
}

/// One half of a data set: N images of one size, each with a label of 0 to 9; N, rows and columns are at least 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    images: Vec<u8>,
    labels: Vec<u8>,
    rows: usize,
    cols: usize,
    /// SHA-256 of the plain IDX file of the images, and of the labels.
    sha256: [[u8; 32]; 2],
}

impl Split {
    /// Joins images `(N, rows, cols)` and labels `(N)`.
    ///
    /// # Errors
    /// Every [`Mismatch`] but `Size`.
    pub fn new(images: idx::Array, labels: idx::Array) -> Result<Self, Mismatch> {
        let &[n, rows, cols] = images.dims() else {
            return Err(Mismatch::ImageRank { found: images.dims().len() });
        };
        let &[count] = labels.dims() else {
            return Err(Mismatch::LabelRank { found: labels.dims().len() });
        };
        if n != count {
            return Err(Mismatch::Count { images: n, labels: count });
        }
        if let Some(index) = labels.data().iter().position(|&label| label > MAX_LABEL) {
            return Err(Mismatch::Label { index, found: labels.data()[index] });
        }
        Ok(Self::trusted(images, labels, rows, cols))
    }

    /// A split whose guarantees are known to hold.
    pub(crate) fn trusted(images: idx::Array, labels: idx::Array, rows: usize, cols: usize) -> Self {
        let (of_images, of_labels) = rayon::join(|| content_hash(&images), || content_hash(&labels));
        Self {
            images: images.into_data(),
            labels: labels.into_data(),
            rows,
            cols,
            sha256: [of_images, of_labels],
        }
    }

    /// The number of images.
    #[allow(clippy::len_without_is_empty, reason = "a split is never empty")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// The height of an image.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The width of an image.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The number of pixels of an image, `rows * cols`.
    pub fn pixels(&self) -> usize {
        self.rows * self.cols
    }

    /// The images as bytes, `N * rows * cols` of them, row by row.
    pub fn image_bytes(&self) -> &[u8] {
        &self.images
    }

    /// The labels as bytes, `N` of them, each 0 to 9.
    pub fn label_bytes(&self) -> &[u8] {
        &self.labels
    }

    /// The images as one tensor `(N, rows * cols)` u8.
    ///
    /// # Errors
    /// Those of candle.
    pub fn images(&self, device: &Device) -> Result<Tensor> {
        Ok(Tensor::from_slice(&self.images, (self.len(), self.pixels()), device)?)
    }

    /// [`images`](Self::images), by value: on a CPU the tensor takes the bytes, and nothing is copied.
    ///
    /// # Errors
    /// Those of candle.
    pub fn into_images(self, device: &Device) -> Result<Tensor> {
        let shape = (self.len(), self.pixels());
        Ok(Tensor::from_vec(self.images, shape, device)?)
    }

    /// The labels as one tensor `(N,)` u8, each 0 to 9.
    ///
    /// # Errors
    /// Those of candle.
    pub fn labels(&self, device: &Device) -> Result<Tensor> {
        Ok(Tensor::from_slice(&self.labels, self.len(), device)?)
    }

    /// The images as an IDX array `(N, rows, cols)`, and the labels as one of `(N)`.
    pub fn to_idx(&self) -> (idx::Array, idx::Array) {
        (
            idx::Array::trusted(vec![self.len(), self.rows, self.cols], self.images.clone()),
            idx::Array::trusted(vec![self.len()], self.labels.clone()),
        )
    }

    /// SHA-256 of the plain IDX file of the images, and of the labels.
    pub(crate) fn sha256(&self) -> &[[u8; 32]; 2] {
        &self.sha256
    }
}

/// SHA-256 of an array's plain IDX file.
pub(crate) fn content_hash(array: &idx::Array) -> [u8; 32] {
    Sha256::new().chain_update(array.header()).chain_update(array.data()).finalize().into()
}

/// A data set: training and test images of one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    name: String,
    train: Split,
    test: Split,
}

impl Dataset {
    /// Joins the halves.
    ///
    /// # Errors
    /// [`Mismatch::Size`].
    pub fn new(name: impl Into<String>, train: Split, test: Split) -> Result<Self, Mismatch> {
        let (of_train, of_test) = ((train.rows, train.cols), (test.rows, test.cols));
        if of_train != of_test {
            return Err(Mismatch::Size { train: of_train, test: of_test });
        }
        Ok(Self::trusted(name, train, test))
    }

    /// A data set whose guarantees are known to hold.
    pub(crate) fn trusted(name: impl Into<String>, train: Split, test: Split) -> Self {
        Self { name: name.into(), train, test }
    }

    /// What the data set is called: one of the [names](crate::Name), or `custom`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The images to train on.
    pub fn train(&self) -> &Split {
        &self.train
    }

    /// The images held back.
    pub fn test(&self) -> &Split {
        &self.test
    }

    /// The images to train on and those held back, by value.
    pub fn into_splits(self) -> (Split, Split) {
        (self.train, self.test)
    }

    /// The height of an image.
    pub fn rows(&self) -> usize {
        self.train.rows
    }

    /// The width of an image.
    pub fn cols(&self) -> usize {
        self.train.cols
    }

    /// The number of pixels of an image, `rows * cols`.
    pub fn pixels(&self) -> usize {
        self.train.pixels()
    }

    /// What each of the ten classes shows.
    pub fn classes(&self) -> [&'static str; 10] {
        self.name.parse().map_or(crate::catalog::DIGITS, crate::Name::classes)
    }

    /// The name of the content: 64 hex digits, the same for the same images and labels however they were obtained and
    /// compressed.
    ///
    /// It is the SHA-256 of four SHA-256s (32 bytes each): of the plain IDX files of training images, training labels,
    /// test images and test labels.
    pub fn digest(&self) -> String {
        let parts = [self.train.sha256.as_flattened(), self.test.sha256.as_flattened()].concat();
        hash::hex(&Sha256::digest(parts))
    }

    pub(crate) fn rename(&mut self, name: impl Into<String>) {
        self.name = name.into();
    }
}
