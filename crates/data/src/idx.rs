//! IDX, the format of MNIST's files: a header that gives the element type and the size of each dimension, then the
//! elements.
//!
//! ```text
//! 00 00  TT  RR   two zeros, the element type, the number of dimensions (the rank)
//! DD DD DD DD     the size of each dimension, big-endian, RR times
//! ...             the elements, the last dimension fastest
//! ```
//!
//! [`read`] takes the bytes of a file, plain or gzip, and either gives an [`Array`] that is complete and true to its
//! header, or says what is wrong. It allocates in proportion to what the bytes really hold, never to what the header
//! claims.

use crate::gzip;
use std::{fmt, io};

/// The type of an IDX file's elements, as its third byte names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementType {
    /// Unsigned bytes, the only type that [`read`] takes.
    U8,
    /// Signed bytes.
    I8,
    /// 16-bit integers.
    I16,
    /// 32-bit integers.
    I32,
    /// 32-bit floats.
    F32,
    /// 64-bit floats.
    F64,
}

impl ElementType {
    /// The type that a code stands for, where the format knows it.
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0x08 => Self::U8,
            0x09 => Self::I8,
            0x0B => Self::I16,
            0x0C => Self::I32,
            0x0D => Self::F32,
            0x0E => Self::F64,
            _ => return None,
        })
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::F32 => "f32",
            Self::F64 => "f64",
        })
    }
}

/// Each way in which bytes can fail to be an IDX array of `u8`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There are no bytes at all.
    #[error("the file is empty: expected an IDX header, found 0 bytes")]
    Empty,
    /// The first two bytes are not zero.
    #[error("not an IDX file: expected it to begin with 00 00 (or gzip's 1f 8b), found {:02x} {:02x}", found[0], found[1])]
    Magic {
        /// The first two bytes.
        found: [u8; 2],
    },
    /// The third byte is no element type.
    #[error("unknown element type: expected 08 (u8), found {found:02x}")]
    UnknownType {
        /// The third byte.
        found: u8,
    },
    /// The elements are not `u8`.
    #[error("unsupported element type: expected u8, found {found}")]
    UnsupportedType {
        /// The type that the header names.
        found: ElementType,
    },
    /// The number of dimensions is not the wanted one: labels where images should be, for one.
    #[error("wrong number of dimensions: expected {expected}, found {found}")]
    Rank {
        /// The wanted rank: 3 for images, 1 for labels.
        expected: usize,
        /// The rank in the header.
        found: usize,
    },
    /// The bytes end inside the header.
    #[error("cut off inside the header: expected {expected} bytes, found {found}")]
    TruncatedHeader {
        /// The length of the header, as far as it is known.
        expected: usize,
        /// The number of (inflated) bytes.
        found: usize,
    },
    /// The bytes end before the last element, or the header claims more than there is.
    #[error("cut off inside the data: a header of {dims:?} expects {expected} bytes, found {found}")]
    TruncatedData {
        /// The size of each dimension.
        dims: Vec<usize>,
        /// Their product.
        expected: usize,
        /// The number of (inflated) bytes after the header.
        found: usize,
    },
    /// The bytes go on after the last element.
    #[error("bytes after the end: a header of {dims:?} expects {expected} bytes of data, found {found}")]
    TrailingBytes {
        /// The size of each dimension.
        dims: Vec<usize>,
        /// Their product.
        expected: usize,
        /// The number of bytes after the header.
        found: usize,
    },
    /// The gzip stream goes on after the last element. It was inflated to there and no further, however long it is.
    #[error(
        "the gzip stream inflates beyond what its header says: {dims:?} expects {expected} bytes of data, found more"
    )]
    InflatesBeyond {
        /// The size of each dimension.
        dims: Vec<usize>,
        /// Their product.
        expected: usize,
    },
    /// The product of the dimensions is beyond what can be addressed.
    #[error("the dimensions {dims:?} are too large: their product overflows")]
    Overflow {
        /// The size of each dimension.
        dims: Vec<usize>,
    },
    /// A dimension is zero.
    #[error("no items: a dimension of {dims:?} is zero")]
    ZeroItems {
        /// The size of each dimension.
        dims: Vec<usize>,
    },
    /// The gzip stream ends too early.
    #[error("the gzip stream is cut off after inflating to {found} bytes")]
    GzipTruncated {
        /// How many bytes were inflated.
        found: usize,
    },
    /// The gzip header, the compressed data, or the checksum is wrong.
    #[error("the gzip stream is damaged after inflating to {found} bytes")]
    Gzip {
        /// How many bytes were inflated.
        found: usize,
        /// What the decoder says.
        source: io::Error,
    },
    /// The sizes cannot be written in a header, or do not fit the elements.
    #[error("cannot be an IDX array: {elements} elements in dimensions {dims:?}")]
    Unwritable {
        /// The size of each dimension.
        dims: Vec<usize>,
        /// The number of elements.
        elements: usize,
    },
}

/// A `u8` array of any rank.
///
/// The product of `dims` is the length of `data`, each dimension is at least 1 and fits 32 bits, and the rank fits a byte: so
/// an array and its [IDX bytes](Array::to_bytes) determine each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    dims: Vec<usize>,
    data: Vec<u8>,
}

impl Array {
    /// Gives `data`, last dimension fastest, the dimensions `dims`.
    ///
    /// # Errors
    /// [`Error::ZeroItems`] or [`Error::Unwritable`], where the guarantees above would not hold.
    pub fn new(dims: Vec<usize>, data: Vec<u8>) -> Result<Self, Error> {
        if dims.contains(&0) {
            return Err(Error::ZeroItems { dims });
        }
        let fits = dims.len() <= usize::from(u8::MAX) && dims.iter().all(|&n| u32::try_from(n).is_ok());
        if !fits || product(&dims) != Some(data.len()) {
            return Err(Error::Unwritable { dims, elements: data.len() });
        }
        Ok(Self { dims, data })
    }

    /// An array whose guarantees are known to hold.
    pub(crate) fn trusted(dims: Vec<usize>, data: Vec<u8>) -> Self {
        debug_assert_eq!(product(&dims), Some(data.len()));
        Self { dims, data }
    }

    /// The size of each dimension.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The elements, last dimension fastest.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The elements, by value.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// The IDX header.
    pub fn header(&self) -> Vec<u8> {
        header(&self.dims)
    }

    /// The array as a plain IDX file.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.header(), self.data()].concat()
    }

    /// The array as an IDX file compressed with gzip; the same array gives the same bytes.
    pub fn to_gzip(&self) -> Vec<u8> {
        gzip::deflate(&self.to_bytes())
    }
}

/// The header of a `u8` file; each dimension is known to fit.
pub(crate) fn header(dims: &[usize]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0x08, dims.len() as u8];
    for &n in dims {
        bytes.extend_from_slice(&(n as u32).to_be_bytes());
    }
    bytes
}

/// Reads a file of any rank, plain or gzip, told apart by its first two bytes.
///
/// # Errors
/// The variant of [`Error`] that says what is wrong; never a panic, whatever the bytes.
pub fn read(bytes: &[u8]) -> Result<Array, Error> {
    parse(bytes, None)
}

/// Reads a file that must have this rank: 3 for images `(N, rows, cols)`, 1 for labels `(N)`.
///
/// # Errors
/// Those of [`read`], and [`Error::Rank`].
pub fn read_rank(bytes: &[u8], rank: usize) -> Result<Array, Error> {
    parse(bytes, Some(rank))
}

fn parse(bytes: &[u8], rank: Option<usize>) -> Result<Array, Error> {
    if bytes.is_empty() {
        return Err(Error::Empty);
    }
    let mut input = gzip::Input::new(bytes);
    let mut start = [0; 4];
    let found = input.fill(&mut start)?;
    let [zero, zero2, code, dimensions] = start;
    if [zero, zero2] != [0, 0] {
        return Err(Error::Magic { found: [zero, zero2] });
    }
    if found < start.len() {
        return Err(Error::TruncatedHeader { expected: start.len(), found });
    }
    match ElementType::from_code(code) {
        Some(ElementType::U8) => {}
        Some(found) => return Err(Error::UnsupportedType { found }),
        None => return Err(Error::UnknownType { found: code }),
    }
    let dimensions = usize::from(dimensions);
    if let Some(expected) = rank.filter(|&rank| rank != dimensions) {
        return Err(Error::Rank { expected, found: dimensions });
    }

    let mut sizes = vec![0; 4 * dimensions];
    let found = input.fill(&mut sizes)?;
    if found < sizes.len() {
        return Err(Error::TruncatedHeader { expected: 4 + sizes.len(), found: 4 + found });
    }
    let (sizes, _) = sizes.as_chunks::<4>();
    let dims: Vec<usize> = sizes.iter().map(|&size| u32::from_be_bytes(size) as usize).collect();
    if dims.contains(&0) {
        return Err(Error::ZeroItems { dims });
    }
    let Some(expected) = product(&dims) else {
        return Err(Error::Overflow { dims });
    };

    let data = input.take(expected)?;
    if data.len() < expected {
        return Err(Error::TruncatedData { dims, expected, found: data.len() });
    }
    let (more, inflating) = input.rest()?;
    if more > 0 {
        return Err(match inflating {
            true => Error::InflatesBeyond { dims, expected },
            false => Error::TrailingBytes { dims, expected, found: expected.saturating_add(more) },
        });
    }
    Ok(Array { dims, data })
}

fn product(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1usize, |product, &n| product.checked_mul(n))
}
