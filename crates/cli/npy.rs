//! NumPy's `.npy` format, for the one kind of array that samples and latents are: rows of floats.
//!
//! Both ways are streams, so that a million samples need no more room than one block of them. The format is NumPy's
//! `numpy.lib.format`: a magic string, a version, the header's length, a Python dictionary as the header, and the numbers.

use std::io::{self, Read, Write};

const MAGIC: &[u8] = b"\x93NUMPY";
/// The numbers begin at a multiple of this.
const ALIGNMENT: usize = 64;
/// A header for two dimensions is about 120 bytes; more than this is no header.
const LONGEST_HEADER: usize = 1 << 16;

/// Why a file is not rows of floats.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("it is not a .npy file: it begins with {found:02x?}")]
    Magic { found: Vec<u8> },
    #[error("version {0} of the .npy format is unknown")]
    Version(u8),
    #[error("its header is {0} bytes long, which is too much for a list of latents")]
    HeaderLength(usize),
    #[error("its header has no `{key}` that can be read: {header:?}")]
    Header { key: &'static str, header: String },
    #[error("its numbers are of type '{0}', expected '<f4' or '<f8': save it with .astype('float32')")]
    Type(String),
    #[error("it is in Fortran order: save it with numpy.ascontiguousarray")]
    FortranOrder,
    #[error("its shape is {0:?}, expected two dimensions: (N, latent)")]
    Shape(Vec<u64>),
    #[error("it ends early")]
    Truncated,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes the header of `rows` rows of `columns` numbers; after it, the numbers are written with [`write_numbers`].
pub(crate) fn write_header(out: &mut impl Write, rows: u64, columns: usize) -> io::Result<()> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let fixed = MAGIC.len() + 4;
    let padded = (fixed + header.len() + 1).next_multiple_of(ALIGNMENT) - fixed;
    header.push_str(&" ".repeat(padded - 1 - header.len()));
    header.push('\n');

    out.write_all(MAGIC)?;
    out.write_all(&[1, 0])?;
    // At most 150 bytes.
    out.write_all(&(header.len() as u16).to_le_bytes())?;
    out.write_all(header.as_bytes())
}

/// Writes numbers, the next in order.
pub(crate) fn write_numbers(out: &mut impl Write, numbers: &[f32]) -> io::Result<()> {
    // Few enough to stay in the cache, and more bytes than a `BufWriter` would copy.
    const AT_A_TIME: usize = 1 << 14;
    let mut bytes = vec![[0; 4]; numbers.len().min(AT_A_TIME)];
    for numbers in numbers.chunks(AT_A_TIME) {
        let bytes = &mut bytes[..numbers.len()];
        for (bytes, number) in bytes.iter_mut().zip(numbers) {
            *bytes = number.to_le_bytes();
        }
        out.write_all(bytes.as_flattened())?;
    }
    Ok(())
}

/// Rows of floats, read one block after the other.
#[derive(Debug)]
pub(crate) struct Rows<R> {
    input: R,
    double: bool,
    count: u64,
    columns: usize,
    unread: u64,
}

impl<R: Read> Rows<R> {
    /// Reads the header.
    pub(crate) fn open(mut input: R) -> Result<Self, Error> {
        let mut start = [0; 8];
        let got = fill(&mut input, &mut start)?;
        if !start[..got].starts_with(MAGIC) {
            let found = start[..got.min(MAGIC.len())].to_vec();
            return Err(Error::Magic { found });
        }
        let length = match start[6] {
            1 => usize::from(u16::from_le_bytes(exactly(&mut input)?)),
            2 | 3 => u32::from_le_bytes(exactly(&mut input)?) as usize,
            version => return Err(Error::Version(version)),
        };
        if length > LONGEST_HEADER {
            return Err(Error::HeaderLength(length));
        }
        let mut header = vec![0; length];
        if fill(&mut input, &mut header)? < length {
            return Err(Error::Truncated);
        }
        let header = String::from_utf8_lossy(&header);

        let double = match value(&header, "descr", &['\'', '"'], &['\'', '"'])? {
            "<f4" => false,
            "<f8" => true,
            other => return Err(Error::Type(other.into())),
        };
        if value(&header, "fortran_order", &[], &[',', '}'])? != "False" {
            return Err(Error::FortranOrder);
        }
        let shape = value(&header, "shape", &['('], &[')'])?;
        let shape = shape
            .split(',')
            .map(str::trim)
            .filter(|size| !size.is_empty())
            .map(|size| size.parse().map_err(|_| missing(&header, "shape")))
            .collect::<Result<Vec<u64>, Error>>()?;
        let [count, columns] = shape[..] else {
            return Err(Error::Shape(shape));
        };
        Ok(Self {
            input,
            double,
            count,
            columns: columns.try_into().map_err(|_| Error::Shape(shape))?,
            unread: count,
        })
    }

    /// How many rows there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Numbers in a row.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// The numbers of the next `most` rows, or of as many as are left.
    pub(crate) fn read(&mut self, most: usize) -> Result<Vec<f32>, Error> {
        let rows = self.unread.min(most as u64);
        self.unread -= rows;
        let numbers = (rows as usize).saturating_mul(self.columns) as u64;
        let size = if self.double { 8 } else { 4 };
        // Read through `take`, so that a header that promises too much does not reserve it.
        let mut bytes = Vec::new();
        let wanted = numbers.saturating_mul(size);
        self.input.by_ref().take(wanted).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < wanted {
            return Err(Error::Truncated);
        }
        Ok(match self.double {
            true => bytes
                .chunks_exact(8)
                .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32)
                .collect(),
            false => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        })
    }
}

/// The text behind `'key':` in the header, between one of `open` (where there are any) and one of `close`.
fn value<'a>(header: &'a str, key: &'static str, open: &[char], close: &[char]) -> Result<&'a str, Error> {
    let find = || {
        let at = header.find(&format!("'{key}'"))?;
        let rest = header[at + key.len() + 2..].trim_start();
        let rest = rest.strip_prefix(':')?.trim_start();
        let rest = match open {
            [] => rest,
            _ => rest.strip_prefix(open)?,
        };
        Some(rest[..rest.find(close)?].trim())
    };
    find().ok_or_else(|| missing(header, key))
}

fn missing(header: &str, key: &'static str) -> Error {
    let header = header.trim_end().chars().take(200).collect();
    Error::Header { key, header }
}

/// Fills `buffer` as far as the input goes; how far that was.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut at = 0;
    while at < buffer.len() {
        match input.read(&mut buffer[at..]) {
            Ok(0) => break,
            Ok(n) => at += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(at)
}

fn exactly<const N: usize>(input: &mut impl Read) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    match fill(input, &mut bytes)? == N {
        true => Ok(bytes),
        false => Err(Error::Truncated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with this header, version 1, and these bytes behind it.
    fn file(header: &str, numbers: &[u8]) -> Vec<u8> {
        let mut bytes = [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes()].concat();
        bytes.extend(header.as_bytes());
        bytes.extend(numbers);
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        for (rows, columns) in [(1, 1), (3, 2), (1000, 784)] {
            let numbers: Vec<f32> = (0..rows * columns).map(|i| i as f32 / 7.).collect();
            let mut bytes = Vec::new();
            write_header(&mut bytes, rows as u64, columns).unwrap();
            assert_eq!(bytes.len() % ALIGNMENT, 0);
            assert_eq!(bytes.last(), Some(&b'\n'));
            write_numbers(&mut bytes, &numbers).unwrap();

            let mut read = Rows::open(&bytes[..]).unwrap();
            assert_eq!((read.count(), read.columns()), (rows as u64, columns));
            let first = read.read(2).unwrap();
            let rest = read.read(usize::MAX).unwrap();
            assert_eq!([first, rest].concat(), numbers);
            assert!(read.read(1).unwrap().is_empty());
        }
    }

    #[test]
    fn doubles_and_later_versions_are_read() {
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }\n";
        let mut bytes = [MAGIC, &[2, 0], &(header.len() as u32).to_le_bytes()].concat();
        bytes.extend(header.as_bytes());
        bytes.extend([0.5f64, -2.].iter().flat_map(|x| x.to_le_bytes()));
        assert_eq!(Rows::open(&bytes[..]).unwrap().read(9).unwrap(), [0.5, -2.]);
    }

    #[test]
    fn every_way_to_be_wrong_has_its_error() {
        let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
        let with = |from: &str, to: &str| file(&good.replace(from, to), &[0; 8]);
        let open = |bytes: &[u8]| Rows::open(bytes).unwrap_err();

        assert!(matches!(open(b""), Error::Magic { .. }));
        assert!(matches!(open(b"PK\x03\x04 a .npz"), Error::Magic { .. }));
        assert!(matches!(open(b"\x93NUMPY\x09\x00"), Error::Version(9)));
        assert!(matches!(open(b"\x93NUMPY\x01\x00\x40"), Error::Truncated));
        assert!(matches!(open(b"\x93NUMPY\x01\x00\x40\x00{"), Error::Truncated));
        assert!(matches!(open(b"\x93NUMPY\x02\x00\xff\xff\xff\xff"), Error::HeaderLength(_)));
        assert!(matches!(open(&with("<f4", "<i8")), Error::Type(t) if t == "<i8"));
        assert!(matches!(open(&with("'<f4'", "[('a', '<f4')]")), Error::Header { key: "descr", .. }));
        assert!(matches!(open(&with("False", "True")), Error::FortranOrder));
        assert!(matches!(open(&with("(1, 2)", "(2,)")), Error::Shape(s) if s == [2]));
        assert!(matches!(open(&with("(1, 2)", "()")), Error::Shape(_)));
        assert!(matches!(open(&with("(1, 2)", "(1, -2)")), Error::Header { key: "shape", .. }));
        assert!(matches!(open(&with("shape", "shade")), Error::Header { key: "shape", .. }));

        let short = |shape| Rows::open(&with("(1, 2)", shape)[..]).unwrap().read(64).unwrap_err();
        assert!(matches!(short("(1, 3)"), Error::Truncated));
        assert!(matches!(short("(2, 2)"), Error::Truncated));
        // Promises 2^64 rows of 2^64 - 1 numbers.
        let huge = "(18446744073709551615, 18446744073709551615)";
        assert!(matches!(short(huge), Error::Truncated));
    }

    #[test]
    fn no_cut_and_no_flipped_bit_is_more_than_an_error() {
        let mut whole = Vec::new();
        write_header(&mut whole, 2, 2).unwrap();
        write_numbers(&mut whole, &[1., 2., 3., 4.]).unwrap();
        let read = |bytes: &[u8]| Rows::open(bytes)?.read(64);
        assert_eq!(read(&whole).unwrap(), [1., 2., 3., 4.]);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "cut at {length}");
        }
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let _ = read(&bytes);
        }
    }
}
