//! The reader against hostile bytes: each way to be wrong has its variant, nothing panics, and no header makes it
//! allocate what the bytes do not hold.

use flate2::{Compression, write::GzEncoder};
use ganlet_data::idx::{self, Array, ElementType, Error};
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A 2x3 image and another.
fn small() -> Array {
    Array::new(vec![2, 2, 3], (10..22).collect()).unwrap()
}

/// A header of u8 with these dimensions, and some bytes of data.
fn claim(dims: &[u32], data: usize) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|n| n.to_be_bytes()));
    bytes.resize(bytes.len() + data, 7);
    bytes
}

/// Reads plain and compressed bytes, which must fail alike.
fn fails(bytes: &[u8], expected: impl Fn(&Error) -> bool) {
    for bytes in [bytes.to_vec(), gzip(bytes)] {
        let error = idx::read_rank(&bytes, 3).unwrap_err();
        assert!(expected(&error), "{error:?}");
    }
}

#[test]
fn each_fault_has_its_variant() {
    assert!(matches!(idx::read(&[]), Err(Error::Empty)));
    fails(b"PK\x03\x04 a zip archive", |e| matches!(e, Error::Magic { found: [b'P', b'K'] }));
    fails(b"<!DOCTYPE html>", |e| matches!(e, Error::Magic { .. }));
    fails(b"P5\n", |e| matches!(e, Error::Magic { .. }));
    fails(&[0, 0, 0x0A, 3], |e| matches!(e, Error::UnknownType { found: 0x0A }));
    for (code, known) in [
        (9, ElementType::I8),
        (11, ElementType::I16),
        (12, ElementType::I32),
        (13, ElementType::F32),
        (14, ElementType::F64),
    ] {
        fails(&[0, 0, code, 3], |e| matches!(e, Error::UnsupportedType { found } if *found == known));
    }
    fails(&claim(&[6], 6), |e| matches!(e, Error::Rank { expected: 3, found: 1 }));
    fails(&[0, 0, 8], |e| matches!(e, Error::TruncatedHeader { expected: 4, found: 3 }));
    fails(&claim(&[2, 2, 3], 0)[..9], |e| matches!(e, Error::TruncatedHeader { expected: 16, found: 9 }));
    fails(&claim(&[2, 2, 3], 11), |e| matches!(e, Error::TruncatedData { expected: 12, found: 11, .. }));
    let long = claim(&[2, 2, 3], 13);
    assert!(matches!(idx::read(&long), Err(Error::TrailingBytes { expected: 12, found: 13, .. })));
    assert!(matches!(idx::read(&gzip(&long)), Err(Error::InflatesBeyond { expected: 12, .. })));
    fails(&claim(&[2, 0, 3], 0), |e| matches!(e, Error::ZeroItems { dims } if dims == &[2, 0, 3]));
    fails(&claim(&[u32::MAX; 3], 20), |e| matches!(e, Error::Overflow { .. }));

    let good = gzip(&small().to_bytes());
    let flip = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        idx::read(&bytes)
    };
    let end = good.len();
    assert!(matches!(flip(2), Err(Error::Gzip { .. })), "the compression method");
    assert!(matches!(flip(end - 8), Err(Error::Gzip { found: 28, .. })), "the checksum");
    assert!(matches!(flip(end - 1), Err(Error::Gzip { found: 28, .. })), "the length");
    assert!(matches!(idx::read(&good[..end - 1]), Err(Error::GzipTruncated { found: 28 })));
    assert!(matches!(idx::read(&good[..end / 2]), Err(Error::GzipTruncated { .. })));
    assert!(matches!(
        idx::read(&[good, vec![1, 2, 3]].concat()),
        Err(Error::Gzip { .. } | Error::GzipTruncated { .. })
    ));
}

#[test]
fn no_cut_and_no_flipped_bit_panics() {
    for whole in [small().to_bytes(), small().to_gzip()] {
        assert_eq!(idx::read(&whole).unwrap(), small());
        for end in 0..whole.len() {
            assert!(idx::read(&whole[..end]).is_err(), "cut at {end}");
        }
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (_, largest) = largest_allocation(|| idx::read(&bytes).map(|_| ()));
            assert!(largest < 1 << 20, "bit {bit} allocates {largest} bytes");
        }
    }
}

#[test]
fn lies_and_bombs_allocate_little() {
    // 4 GB are claimed; 20 bytes are there.
    let lie = claim(&[1 << 20, 64, 64], 20);
    // 64 MB of zeros, in 64 KB, behind an honest header of 784 bytes.
    let bomb = gzip(&[claim(&[1, 28, 28], 784), vec![0; 64 << 20]].concat());
    assert!(bomb.len() < 80_000);
    for bytes in [&lie, &gzip(&lie), &bomb] {
        let (result, largest) = largest_allocation(|| idx::read(bytes));
        assert!(matches!(result, Err(Error::TruncatedData { .. } | Error::InflatesBeyond { .. })));
        assert!(largest < 1 << 20, "{largest} bytes");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(dims in prop::collection::vec(1usize..6, 0..5), seed: u8) {
        let n = dims.iter().product();
        let array = Array::new(dims, (0..n).map(|i| (i as u8).wrapping_mul(seed)).collect()).unwrap();
        prop_assert_eq!(&idx::read(&array.to_bytes()).unwrap(), &array);
        prop_assert_eq!(&idx::read(&array.to_gzip()).unwrap(), &array);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, start in 0usize..4) {
        let starts: [&[u8]; 4] = [&[], &[0, 0, 8], &[0, 0, 8, 1, 0, 0, 0], &[0x1f, 0x8b, 8, 0]];
        let bytes = [starts[start], &bytes].concat();
        if let Ok(array) = idx::read(&bytes) {
            // Only the plain form is unique.
            prop_assert!(bytes[0] != 0 || array.to_bytes() == bytes);
        }
    }
}

#[test]
fn an_array_that_no_header_can_describe_is_refused() {
    assert!(matches!(Array::new(vec![2, 2], vec![0; 5]), Err(Error::Unwritable { elements: 5, .. })));
    assert!(matches!(Array::new(vec![1; 256], vec![0]), Err(Error::Unwritable { .. })));
    assert!(matches!(Array::new(vec![1, 0], vec![]), Err(Error::ZeroItems { .. })));
}

/// Notes the largest single allocation of each thread.
struct Watched;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn largest_allocation<T>(f: impl FnOnce() -> T) -> (T, usize) {
    LARGEST.set(0);
    (f(), LARGEST.get())
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(layout.size())));
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above, and `at` came from `System`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;
