#![no_main]
//! Checkpoints: what is read can be gone on from, or is refused and changes nothing. (The fuzzer does get past the digest: it sees
//! what that is compared with.)

use candle_core::Device;
use ganlet_train::checkpoint::{self, Checkpoint};
use ganlet_train::{Gan, Recipe};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(checkpoint) = ganlet_fuzz::within(64, bytes, Checkpoint::from_bytes) else { return };
    // The networks of the seeds.
    let recipe = Recipe {
        latent: 1,
        generator_hidden: vec![],
        discriminator_hidden: vec![],
        ..Recipe::named("classic").expect("built in")
    };
    let mut gan = Gan::new(&recipe, [1, 1], &Device::Cpu).expect("small");
    let file = |gan: &Gan| checkpoint::to_bytes(gan, &recipe, checkpoint.data()).expect("finite");
    let before = file(&gan);
    match checkpoint.restore(&mut gan) {
        Ok(()) => {
            assert_eq!(gan.steps, checkpoint.steps());
            Checkpoint::from_bytes(&file(&gan)).expect("what is written is read");
        }
        Err(_) => assert_eq!(file(&gan), before),
    }
});
