//! Bytes that may be gzip, inflated no further than asked.

use crate::idx::Error;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::{self, Read, Write};

/// How gzip begins.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Room is made in advance for data this many times as long as the file, no more: MNIST's ratio is 4.7, and a
/// header that claims more makes the buffer grow as the data proves it.
const TRUSTED_RATIO: usize = 16;

pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// The (inflated) bytes of a file, front to back.
pub(crate) enum Input<'a> {
    Plain(&'a [u8]),
    Gzip { decoder: Box<MultiGzDecoder<&'a [u8]>>, length: usize, inflated: usize },
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        if is_gzip(bytes) {
            Self::Gzip { decoder: Box::new(MultiGzDecoder::new(bytes)), length: bytes.len(), inflated: 0 }
        } else {
            Self::Plain(bytes)
        }
    }

    /// Fills `out` as far as the bytes reach; returns how far.
    pub(crate) fn fill(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let data = self.take(out.len())?;
        out[..data.len()].copy_from_slice(&data);
        Ok(data.len())
    }

    /// The next `n` bytes, or all there are.
    pub(crate) fn take(&mut self, n: usize) -> Result<Vec<u8>, Error> {
        match self {
            Self::Plain(bytes) => {
                let (taken, rest) = bytes.split_at(n.min(bytes.len()));
                *bytes = rest;
                Ok(taken.to_vec())
            }
            Self::Gzip { decoder, length, inflated } => {
                let mut data = Vec::with_capacity(n.min(length.saturating_mul(TRUSTED_RATIO)));
                let result = decoder.by_ref().take(n as u64).read_to_end(&mut data);
                *inflated += data.len();
                result.map_err(|source| damage(source, *inflated))?;
                Ok(data)
            }
        }
    }

    /// How many bytes are left, and whether this is gzip: of which at most one is inflated, which checks the checksum.
    pub(crate) fn rest(&mut self) -> Result<(usize, bool), Error> {
        match self {
            Self::Plain(bytes) => Ok((bytes.len(), false)),
            Self::Gzip { .. } => Ok((self.take(1)?.len(), true)),
        }
    }
}

fn damage(source: io::Error, found: usize) -> Error {
    match source.kind() {
        io::ErrorKind::UnexpectedEof => Error::GzipTruncated { found },
        _ => Error::Gzip { found, source },
    }
}

/// Compresses; the gzip header bears no time and no name.
pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
