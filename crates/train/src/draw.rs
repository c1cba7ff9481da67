//! Everything random in a training, as a function of the seed and the clock.
//!
//! Nothing is drawn from anything else, so a training that goes on after an interruption needs no generator's state: the order of
//! epoch 12 and the noise of step 7,000 are what they are.

use candle_core::{Device, Result, Tensor};
use ganlet_random::Stream;

/// What a stream's numbers are for.
const ORDER: u32 = 0x4f52_4452;
const DISCRIMINATOR_NOISE: u32 = 0x4e5a_5f44;
const GENERATOR_NOISE: u32 = 0x4e5a_5f47;

/// The order in which epoch `epoch` (from 0) visits the images `0..images`.
pub fn order(seed: u64, epoch: u64, images: u32) -> Vec<u32> {
    Stream::new(seed, ORDER, epoch).permutation(images)
}

/// The latents that make the fakes of a step of `B` images, for both of its halves.
#[derive(Clone, Debug)]
pub struct Noise {
    /// `(2B, latent)` f32, standard normal: first those for the D step, then others for the G step.
    pub latents: Tensor,
}

impl Noise {
    /// The noise of step `step` (from 0).
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(seed: u64, step: u64, batch_size: usize, latent: usize, device: &Device) -> Result<Self> {
        let count = batch_size * latent;
        let mut values = vec![0.; 2 * count];
        let (for_d, for_g) = values.split_at_mut(count);
        Stream::new(seed, DISCRIMINATOR_NOISE, step).fill_normal(for_d);
        Stream::new(seed, GENERATOR_NOISE, step).fill_normal(for_g);
        Ok(Self { latents: Tensor::from_vec(values, (2 * batch_size, latent), device)? })
    }
}
