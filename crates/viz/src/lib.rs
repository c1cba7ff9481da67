//! Pictures of tensors: many images in one grid, PNG and GIF bytes of it; pages of HTML: a [`Report`] of trainings, and one to
//! [explore](explorer) a generator with.
//!
//! A picture shows what the model made, pixel for pixel: nothing is stretched or smoothed, only [enlarged](Picture::enlarge)
//! and given [`Colors`] where that is asked for, and a [`grid`] is laid out and rounded as torchvision's `save_image` does it,
//! so pictures of both can be compared byte by byte. Nothing here touches a file: tensors in, bytes out.
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use ganlet_viz::{Layout, encode_png, grid};
//!
//! // Ten images of 3 x 2 pixels, black at the first pixel and white at the last.
//! let pixels = Tensor::arange(0f32, 60., &Device::Cpu)?;
//! let images = pixels.affine(2. / 59., -1.)?.reshape((10, 6))?;
//!
//! let picture = grid(&images, [3, 2], Layout::default())?;
//! assert_eq!(picture.width(), 8 * (2 + 2) + 2);
//! assert_eq!(picture.height(), 2 * (3 + 2) + 2);
//!
//! let png = encode_png(&picture)?;
//! assert!(png.starts_with(b"\x89PNG"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod caption;
mod colors;
mod error;
mod frame;
mod gif;
mod grid;
mod picture;
mod png;
pub mod report;
mod sheet;

pub mod explorer;

pub use caption::with_epoch;
pub use colors::Colors;
pub use error::{Error, Result};
pub use frame::Frame;
pub use gif::encode_gif;
pub use grid::{Layout, grid};
pub use picture::Picture;
pub use png::{decode_png, encode_apng, encode_png, encode_png_in};
pub use report::Report;
pub use sheet::data_uri;
