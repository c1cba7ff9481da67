//! IDX bytes to data sets of u8 images: read, verified, downloaded, or drawn on the fly.

mod catalog;
mod dataset;
pub mod download;
mod error;
mod files;
mod gzip;
mod hash;
pub mod idx;
mod load;
mod locate;
mod manage;
mod normalize;
pub mod synthetic;

pub use catalog::Name;
pub use dataset::{Dataset, MAX_LABEL, Mismatch, Split};
pub use download::{Patience, Progress};
pub use error::{Error, Result};
pub use load::{Loaded, Request, Source, load};
pub use manage::{Fetched, FetchedFile, Info, Verdict, fetch, info, verify};
pub use normalize::{denormalize, normalize};
