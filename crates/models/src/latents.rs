use candle_core::{Device, Result, Tensor};
use ganlet_random::Stream;

/// What the latents of numbered samples are drawn from: [`Stream`]s of this domain.
const SAMPLES: u32 = 0x5341_4d50;

/// The latents of the numbered samples: `(N, latent)` f32, standard normal; row `i` is a function of `seeds[i]` alone.
///
/// # Errors
/// When the device has no room.
pub fn sample_latents(seeds: &[u64], latent: usize, device: &Device) -> Result<Tensor> {
    let mut values = vec![0.; seeds.len() * latent];
    for (row, &seed) in values.chunks_exact_mut(latent.max(1)).zip(seeds) {
        Stream::new(seed, SAMPLES, 0).fill_normal(row);
    }
    Tensor::from_vec(values, (seeds.len(), latent), device)
}
