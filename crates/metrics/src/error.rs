use candle_core::Shape;

/// Why there is no number.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A set is not a list of vectors.
    #[error("{what}: expected (N, D), with at least one column, found {found:?}")]
    NotRows {
        /// Which argument.
        what: &'static str,
        /// Its shape.
        found: Shape,
    },

    /// Two sets are of different kinds of vectors.
    #[error("{what}: expected rows of {expected} numbers, as the others have, found {found}")]
    Width {
        /// Which argument.
        what: &'static str,
        /// Numbers in a row of what it is compared with.
        expected: usize,
        /// Numbers in its own rows.
        found: usize,
    },

    /// There are too few samples for the number to be defined.
    #[error("{what}: expected at least {least} rows, found {found}")]
    TooFew {
        /// Which argument.
        what: &'static str,
        /// How many it takes.
        least: usize,
        /// How many there are.
        found: usize,
    },

    /// A value is infinite or not a number.
    #[error("{what}: expected finite numbers, found {found} in row {row}")]
    NotFinite {
        /// Which argument.
        what: &'static str,
        /// The row, from 0.
        row: usize,
        /// The value.
        found: f64,
    },

    /// A row is not a distribution over classes.
    #[error("probabilities: expected rows of at least 0 that add up to 1, found the sum {sum} in row {row}")]
    NotProbabilities {
        /// The row, from 0.
        row: usize,
        /// What it adds up to.
        sum: f64,
    },

    /// There is not one label for each sample.
    #[error("expected a label for each of the {samples} samples, found {labels}")]
    Labels {
        /// How many samples.
        samples: usize,
        /// How many labels.
        labels: usize,
    },

    /// The pixels are outside their range.
    #[error("{what}: expected pixels in [-1, 1], found {found} in row {row}")]
    Range {
        /// Which argument.
        what: &'static str,
        /// The row, from 0.
        row: usize,
        /// The value.
        found: f64,
    },

    /// A scale is not a positive number.
    #[error("expected at least one sigma, all of them positive, found {found:?}")]
    Sigmas {
        /// What was given.
        found: Vec<f64>,
    },

    /// The nearest neighbours of no neighbour.
    #[error("expected k of at least 1, found 0")]
    NoNeighbours,

    /// An eigenvalue decomposition did not come to an end.
    #[error("the eigenvalues of a covariance of {size} features were not found")]
    Eigenvalues {
        /// Rows of the matrix.
        size: usize,
    },

    /// The file of a feature network lacks a tensor, or has another one in its place.
    #[error("tensor `{tensor}` of the feature network: expected shape {expected:?}, found {found:?}")]
    Weights {
        /// The tensor.
        tensor: &'static str,
        /// Its shape.
        expected: Shape,
        /// What the file has, if it has one.
        found: Option<Shape>,
    },

    /// The feature network knows images of one size only.
    #[error("the feature network takes images of 28 x 28 pixels, 784 in a row, found rows of {found}")]
    ImageSize {
        /// Numbers in a row.
        found: usize,
    },

    /// A tensor operation failed.
    #[error("a tensor operation failed")]
    Tensor(#[from] candle_core::Error),
}

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
