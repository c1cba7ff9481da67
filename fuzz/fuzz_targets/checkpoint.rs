#![no_main]
//! Checkpoints: what is read is what was written, for nothing else has the digest.

use candle_core::Device;
use ganlet_train::Gan;
use ganlet_train::checkpoint::{self, Checkpoint};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(checkpoint) = ganlet_fuzz::within(64, bytes, Checkpoint::from_bytes) {
        let mut gan = Gan::new(checkpoint.recipe(), [1, 1], &Device::Cpu).expect("the recipe of a seed");
        checkpoint.restore(&mut gan).expect("the networks of a seed");
        let again = checkpoint::to_bytes(&gan, checkpoint.recipe(), checkpoint.data()).expect("finite");
        assert_eq!(again, bytes);
    }
});
