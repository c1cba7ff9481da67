use candle_core::{DType, Shape};

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There are no images, or they have no pixels.
    #[error("nothing to show: the images have shape {shape:?}")]
    Empty {
        /// The shape of what was given.
        shape: Shape,
    },

    /// The tensor is not a list of images of the size that was named.
    #[error(
        "expected images of {rows} x {columns} pixels, as a tensor (N, {rows} * {columns}) or (N, {rows}, {columns}), \
         found shape {found:?}"
    )]
    Shape {
        /// Rows of an image.
        rows: usize,
        /// Columns of an image.
        columns: usize,
        /// The shape of what was given.
        found: Shape,
    },

    /// The pixels are whole numbers, so they cannot be in `[-1, 1]`.
    #[error("expected floating-point pixels in [-1, 1], found {found:?}")]
    NotFloat {
        /// The type of the pixels.
        found: DType,
    },

    /// A grid with no images in a row.
    #[error("a grid needs at least one image per row")]
    NoColumns,

    /// The picture would have more pixels than can be held or written.
    #[error("a grid of {images} images, {per_row} per row, is too large for a picture")]
    TooLarge {
        /// How many images.
        images: usize,
        /// How many of them in a row.
        per_row: usize,
    },

    /// The pixels of a picture are not `width * height` of them, or there are none.
    #[error("expected {width} * {height} pixels, and at least one, found {found}")]
    PixelCount {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Pixels that were given.
        found: usize,
    },

    /// The tensor could not be read.
    #[error("cannot read the images")]
    Tensor(#[from] candle_core::Error),

    /// The picture could not be compressed.
    #[error("cannot encode the picture as PNG")]
    Png(#[source] image::ImageError),

    /// The bytes are not a picture.
    #[error("expected a PNG file")]
    Decode(#[source] image::ImageError),

    /// The picture could not be compressed for a page.
    #[error("cannot encode the picture for a page")]
    Encode(#[source] std::io::Error),

    /// The data of a page could not be written.
    #[error("cannot write the data of the page as JSON")]
    Json(#[from] serde_json::Error),
}

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
