#![no_main]
//! IDX within gzip. As it is, no changed byte would pass the checksum; so the bytes are also read as a stream's inside, and as the
//! content of a valid one.
//!
//! Deflate writes a byte as 1,032 at most, and a growing buffer may be twice as large as what it holds.

use ganlet_data::idx;
use libfuzzer_sys::fuzz_target;

const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

fuzz_target!(|bytes: &[u8]| {
    let _ = ganlet_fuzz::within(2200, bytes, idx::read);
    let inside = [&HEADER, bytes].concat();
    let _ = ganlet_fuzz::within(2200, &inside, idx::read);
});
