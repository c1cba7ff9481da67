use candle_core::{Device, Result, Tensor};
use ganlet_ops::Draw;
use ganlet_random::Stream;
use serde::{Deserialize, Serialize};

/// What the latents of numbered samples are drawn from: [`Stream`]s of this domain.
pub const SAMPLES: u32 = 0x5341_4d50;

const SQRT_3: f32 = 1.732_050_8;

/// What the components of a latent vector are drawn from, each on its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LatentDistribution {
    /// Normal with mean 0 and variance 1.
    #[default]
    Normal,
    /// Uniform in `[-sqrt(3), sqrt(3))`, with mean 0 and variance 1 as well: the range of the code of Goodfellow et al. (NeurIPS 2014),
    /// <https://github.com/goodfeli/adversarial>.
    Uniform,
}

impl LatentDistribution {
    /// The same for who draws many at once.
    pub fn draw(self) -> Draw {
        match self {
            Self::Normal => Draw::Normal { deviation: 1. },
            Self::Uniform => Draw::Uniform { low: -f64::from(SQRT_3), high: f64::from(SQRT_3) },
        }
    }

    /// Fills `out` with the next numbers of `stream`.
    pub fn fill(self, stream: &mut Stream, out: &mut [f32]) {
        fill(stream, self.draw(), out);
    }
}

/// Fills `out` with the next numbers of `stream`: what a GPU draws by itself, drawn here.
pub fn fill(stream: &mut Stream, draw: Draw, out: &mut [f32]) {
    match draw {
        Draw::Normal { deviation } => {
            stream.fill_normal(out);
            if deviation != 1. {
                out.iter_mut().for_each(|x| *x *= deviation as f32);
            }
        }
        Draw::Uniform { low, high } => {
            let (low, high) = (low as f32, high as f32);
            stream.fill_uniform(out);
            out.iter_mut().for_each(|x| *x = low + (high - low) * *x);
        }
        Draw::Mask { rate } => {
            let (rate, kept) = (rate as f32, (1. / (1. - rate)) as f32);
            stream.fill_uniform(out);
            out.iter_mut().for_each(|x| *x = if *x < rate { 0. } else { kept });
        }
    }
}

/// The latents of the numbered samples: `(N, latent)` f32; row `i` is a function of `seeds[i]` alone.
///
/// # Errors
/// When the device has no room.
pub fn sample_latents(
    seeds: &[u64],
    latent: usize,
    distribution: LatentDistribution,
    device: &Device,
) -> Result<Tensor> {
    let mut values = vec![0.; seeds.len() * latent];
    for (row, &seed) in values.chunks_exact_mut(latent.max(1)).zip(seeds) {
        distribution.fill(&mut Stream::new(seed, SAMPLES, 0), row);
    }
    Tensor::from_vec(values, (seeds.len(), latent), device)
}
