#![no_main]
//! Weights: what is read writes itself again.

use std::collections::BTreeMap;

use candle_core::Device;
use ganlet_models::{Discriminator, Generator};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(loaded) = ganlet_fuzz::within(64, bytes, |bytes| Generator::from_bytes(bytes, &Device::Cpu)) {
        let again = loaded.network.to_bytes(&loaded.metadata).expect("what is read is finite");
        Generator::from_bytes(&again, &Device::Cpu).expect("what is written is read");
    }
    if let Ok(loaded) = ganlet_fuzz::within(64, bytes, |bytes| Discriminator::from_bytes(bytes, &Device::Cpu))
    {
        loaded.network.to_bytes(&BTreeMap::new()).expect("what is read is finite");
    }
});
