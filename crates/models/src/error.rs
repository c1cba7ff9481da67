use candle_core::Shape;

/// What can be wrong with a network or with its file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A layer would have no inputs or no outputs.
    #[error("every width of a network must be at least 1, found {widths:?}")]
    ZeroWidth {
        /// The widths from input to output.
        widths: Vec<usize>,
    },

    /// The widths multiply to more weights than can be held.
    #[error("a network of widths {widths:?} has more weights than can be held (at most {limit} are)")]
    TooLarge {
        /// The widths from input to output.
        widths: Vec<usize>,
        /// The largest number of weights.
        limit: usize,
    },

    /// The network takes no labels.
    #[error("the generator takes no labels: it was not trained with any")]
    NoLabels,

    /// There is no such label.
    #[error("expected a label below {classes}, found {found}")]
    Label {
        /// How many kinds of images the network knows.
        classes: usize,
        /// What was asked for.
        found: usize,
    },

    /// There are more or fewer parameters than the network has.
    #[error("expected {expected} parameters, found {found}")]
    ParameterCount {
        /// How many the network has.
        expected: usize,
        /// How many were given.
        found: usize,
    },

    /// The bytes are not a safetensors file.
    #[error("expected a safetensors file, found {length} bytes that are not one")]
    NotSafetensors {
        /// How many bytes there are.
        length: usize,
        /// What the parser says.
        #[source]
        source: safetensors::SafeTensorError,
    },

    /// The file is another network's.
    #[error("expected the weights of a {expected}, found those of a {found}")]
    OtherNetwork {
        /// `generator` or `discriminator`.
        expected: &'static str,
        /// What the file says that it is.
        found: String,
    },

    /// The description in the file's metadata cannot be read.
    #[error("the file's metadata `ganlet` is not a description that this version knows")]
    Metadata(#[source] serde_json::Error),

    /// A tensor that the configuration calls for is not there.
    #[error("tensor `{tensor}` is missing")]
    MissingTensor {
        /// The name.
        tensor: String,
    },

    /// There is a tensor that no layer has.
    #[error(
        "tensor `{tensor}` belongs to no layer (layers are named 0, 2, 4, ... as by PyTorch's nn.Sequential)"
    )]
    UnexpectedTensor {
        /// The name.
        tensor: String,
    },

    /// A tensor does not have the shape that its layer needs.
    #[error("tensor `{tensor}`: expected shape {expected:?}, found {found:?}")]
    TensorShape {
        /// The name.
        tensor: String,
        /// What the configuration, or the layer before, calls for.
        expected: Shape,
        /// What the file has.
        found: Shape,
    },

    /// A layer's weight is not a matrix.
    #[error("tensor `{tensor}`: expected a matrix (out, in), found shape {found:?}")]
    NotAMatrix {
        /// The name.
        tensor: String,
        /// What the file has.
        found: Shape,
    },

    /// A tensor is not of 32-bit floats.
    #[error("tensor `{tensor}`: expected dtype F32, found {found:?}")]
    TensorDType {
        /// The name.
        tensor: String,
        /// What the file has.
        found: safetensors::Dtype,
    },

    /// A weight is infinite or not a number.
    #[error("tensor `{tensor}`: expected finite numbers, found {found} at position {position}")]
    NotFinite {
        /// The name.
        tensor: String,
        /// Where, counted in row-major order.
        position: usize,
        /// The first such number.
        found: f32,
    },

    /// The file could not be put together.
    #[error("cannot serialise the weights")]
    Serialize(#[source] safetensors::SafeTensorError),

    /// The configuration could not be put into the file's metadata.
    #[error("cannot serialise the configuration")]
    SerializeConfig(#[source] serde_json::Error),

    /// A tensor operation failed.
    #[error("a tensor operation failed")]
    Tensor(#[from] candle_core::Error),
}

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
