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

    /// The picture would have more pixels than are worth having.
    #[error("a picture of {width} x {height} pixels is too large")]
    TooLargePicture {
        /// Pixels in a row.
        width: u64,
        /// Rows.
        height: u64,
    },

    /// An animation of nothing.
    #[error("an animation needs at least one frame")]
    NoFrames,

    /// More frames than the format can say.
    #[error("expected at most {most} frames, found {found}")]
    TooManyFrames {
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },

    /// A frame is not of the first one's size.
    #[error("frame {frame} is of {} x {} pixels, those before it of {} x {}", found[0], found[1], expected[0], expected[1])]
    FrameSize {
        /// Which frame, from 0.
        frame: usize,
        /// Width and height of the first.
        expected: [u32; 2],
        /// Its own.
        found: [u32; 2],
    },

    /// The picture could not be compressed.
    #[error("cannot encode the picture as {format}")]
    Encode {
        /// The format.
        format: &'static str,
        /// What the encoder says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The bytes are not those of a PNG file.
    #[error("it is not a whole PNG file")]
    Decode(#[source] png::DecodingError),

    /// The PNG file holds another kind of picture.
    #[error("expected a PNG file of grey, 8 bits, found {found}")]
    NotGrey {
        /// Of which colors, and how many bits.
        found: String,
    },

    /// What was computed is not a number.
    #[error("the pictures change by {found}, which is not a number")]
    NotFinite {
        /// What was found.
        found: f64,
    },

    /// The layers of a generator do not fit together.
    #[error(
        "layer {layer} has {weights} weights and {biases} biases, which does not fit its {inputs} inputs"
    )]
    Layer {
        /// Which layer, from 0.
        layer: usize,
        /// How many weights.
        weights: usize,
        /// How many biases.
        biases: usize,
        /// What the layer before it puts out, or the latents and classes.
        inputs: usize,
    },

    /// What a generator puts out is not an image.
    #[error("expected layers that end in {expected} pixels, found {found}")]
    Pixels {
        /// The pixels of an image.
        expected: usize,
        /// What the last layer puts out.
        found: usize,
    },

    /// The page would be larger than it may be, even with the fewest bits for each weight.
    #[error(
        "with {bits} bits for each of its {weights} weights, the page takes {bytes} bytes, and may take {limit}"
    )]
    PageSize {
        /// The fewest bits.
        bits: u32,
        /// Weights and biases.
        weights: usize,
        /// The size of the page with so many.
        bytes: usize,
        /// The size that was allowed.
        limit: usize,
    },

    /// The page's numbers could not be written.
    #[error("cannot write the page")]
    Json(#[from] serde_json::Error),
}

impl Error {
    pub(crate) fn encode(
        format: &'static str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Encode { format, source: Box::new(source) }
    }
}

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
