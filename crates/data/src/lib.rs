//! IDX bytes to data sets of u8 images: read, verified, downloaded, or drawn on the fly.
//!
//! A [`Dataset`] is training and test images of one size, each with a label of 0 to 9. It comes from [`load`], which
//! looks in folders, downloads what has a [`Name`], and verifies every byte; or from [`synthetic`], which draws digits
//! that look handwritten and needs no file at all. The pixels stay the bytes that they are: whoever trains on them scales
//! a batch when it is taken.
//!
//! ```
//! use candle_core::{DType, Device};
//! use ganlet_data::synthetic;
//!
//! # fn main() -> ganlet_data::Result<()> {
//! let digits = synthetic::digits(500, 100);
//! let images = digits.train().images(&Device::Cpu)?; // (500, 784) u8
//! let labels = digits.train().labels(&Device::Cpu)?; // (500,) u8
//!
//! let batch = images.narrow(0, 0, 100)?; // (100, 784) u8
//! let batch = batch.to_dtype(DType::F32)?.affine(2. / 255., -1.)?; // f32 in [-1, 1]
//! assert_eq!((batch.dims(), labels.dims()), (&[100, 784][..], &[500][..]));
//! # Ok(())
//! # }
//! ```
//!
//! The same data set has the same [digest](Dataset::digest), wherever it is from.
//!
//! With the feature `hub`, the Hugging Face hub is the last mirror, and the module `hub` converts to the types of
//! candle-datasets and back.

pub mod idx;

mod gzip;

mod dataset;

mod catalog;
mod files;
mod hash;
mod locate;

pub mod download;

pub mod synthetic;

mod load;
mod manage;

#[cfg(feature = "hub")]
pub mod hub;

mod error;

#[cfg(test)]
mod testing;

pub use catalog::Name;
pub use dataset::{Dataset, MAX_LABEL, Mismatch, Split};
pub use download::{Patience, Progress};
pub use error::{Error, Result};
pub use load::{Loaded, Request, Source, load};
pub use manage::{Fetched, FetchedFile, Info, Verdict, fetch, info, verify};
