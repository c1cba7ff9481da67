#![no_main]
//! What PyTorch saved: read or refused. In an archive, no changed byte would pass the checksum; so the bytes are also read as the pickles
//! that follow the first three of the older format.

use ganlet_formats::pytorch::{linear_layers, state_dict};
use libfuzzer_sys::fuzz_target;

/// The number, the version and the machine that such a file begins with.
const BEGINNING: &[u8] = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.";

fuzz_target!(|bytes: &[u8]| {
    for bytes in [bytes, &[BEGINNING, bytes].concat()] {
        if let Ok(tensors) = ganlet_fuzz::within(256, bytes, state_dict) {
            let numbers: usize = tensors.iter().map(|(_, tensor)| tensor.elem_count()).sum();
            assert!(numbers <= bytes.len());
            let _ = linear_layers(tensors);
        }
    }
});
