#![no_main]
//! The `.npy` files of `ganlet sample --latents`: the program's own source.

#[allow(dead_code, unreachable_pub)]
#[path = "../../crates/cli/npy.rs"]
mod npy;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    ganlet_fuzz::within(64, bytes, |bytes| {
        let Ok(mut rows) = npy::Rows::open(bytes) else { return };
        let _ = (rows.count(), rows.columns());
        while rows.read(2).is_ok_and(|numbers| !numbers.is_empty()) {}
    });
});
