/// What can be wrong with a file of PyTorch's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are neither of PyTorch's formats.
    #[error("expected a file that torch.save wrote, found {length} bytes that are {found}")]
    NotPyTorch {
        /// How many bytes there are.
        length: usize,
        /// What they look like.
        found: &'static str,
    },

    /// The archive is damaged.
    #[error("the zip archive is damaged")]
    Archive(#[source] zip::result::ZipError),

    /// A part of the file has not the length that is called for.
    #[error("{name}: expected a length of {expected}, found {found}")]
    Entry {
        /// The file in the archive, or the storage.
        name: String,
        /// How long it should be.
        expected: u64,
        /// How long it is.
        found: u64,
    },

    /// The pickle breaks off, or does what no pickle of PyTorch's does.
    #[error("the pickle is damaged: at byte {position}, expected {expected}, found {found}")]
    Pickle {
        /// Where, from the beginning of the pickle.
        position: usize,
        /// What should be there.
        expected: &'static str,
        /// What is.
        found: String,
    },

    /// The pickle names something that a state dict is not made of. It was not run.
    #[error("the file asks for `{name}`, which a state dict is not made of: nothing of it was run")]
    Forbidden {
        /// Module and name.
        name: String,
    },

    /// The pickle is a network with its code, not its weights alone.
    #[error("the file holds a whole module, `{name}`, where a state dict was expected")]
    WholeModule {
        /// The class.
        name: String,
    },

    /// The pickle is of something else.
    #[error("expected a dictionary of tensors, found {found}")]
    NotAStateDict {
        /// What it is.
        found: String,
    },

    /// A key of the dictionary is not a name.
    #[error("expected a name as the key of each tensor, found {found}")]
    Key {
        /// What the key is.
        found: String,
    },

    /// The dictionary has no tensors.
    #[error("expected a dictionary of tensors, found none in it{}", listed(dictionaries))]
    NoTensors {
        /// The dictionaries in it.
        dictionaries: Vec<String>,
    },

    /// The numbers of a tensor are no floats.
    #[error("tensor `{tensor}`: expected floats, found {found}")]
    DType {
        /// The name.
        tensor: String,
        /// PyTorch's name of the type.
        found: String,
    },

    /// A tensor reaches beyond its storage, or names some of its numbers twice.
    #[error("tensor `{tensor}` does not lie within the numbers that the file has for it")]
    View {
        /// The name.
        tensor: String,
    },

    /// Two tensors disagree about the storage that they share.
    #[error("storage {key} is described in two ways")]
    StorageTwice {
        /// Its name in the file.
        key: String,
    },

    /// The tensors have more numbers than the file can hold.
    #[error("the tensors have {numbers} numbers, more than a file of {length} bytes holds")]
    TooMany {
        /// In all tensors together.
        numbers: usize,
        /// Of the file, in bytes.
        length: usize,
    },

    /// The bytes of numbers are in the order of another kind of machine.
    #[error("the file was written on a big-endian machine, which is not supported")]
    BigEndian,

    /// A tensor is of no fully connected layer.
    #[error(
        "tensor `{tensor}`, {shape:?}: expected the weight (out, in) or the bias (out,) of a fully connected layer"
    )]
    NotLinear {
        /// The name.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
    },

    /// A layer has a weight and no bias, or a bias and no weight.
    #[error("layer `{layer}` has no {missing}")]
    Half {
        /// The name.
        layer: String,
        /// `weight` or `bias`.
        missing: &'static str,
    },

    /// A layer does not take what the one before it gives, or a bias does not fit its weight.
    #[error("tensor `{tensor}`: expected {expected:?}, found {found:?}")]
    Shape {
        /// The name.
        tensor: String,
        /// The shape that fits.
        expected: Vec<usize>,
        /// The shape that is there.
        found: Vec<usize>,
    },

    /// A tensor could not be made.
    #[error("a tensor operation failed")]
    Tensor(#[from] candle_core::Error),
}

/// A result whose error is [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

fn listed(dictionaries: &[String]) -> String {
    match dictionaries {
        [] => String::new(),
        some => format!(", but dictionaries named {}", some.join(", ")),
    }
}
