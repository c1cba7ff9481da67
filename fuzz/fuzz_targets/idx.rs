#![no_main]
//! IDX: bytes are refused, or are the one file of the array that they give.

use ganlet_data::idx;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let array = ganlet_fuzz::within(2200, bytes, idx::read);
    let _ = ganlet_fuzz::within(2200, bytes, |bytes| idx::read_rank(bytes, 3));
    if let Ok(array) = array
        && bytes[0] == 0
    {
        assert_eq!(array.to_bytes(), bytes);
    }
});
