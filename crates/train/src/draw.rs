//! Everything random in a training, as a function of the seed and the clock.
//!
//! Nothing is drawn from anything else, so a training that goes on after an interruption needs no generator's state: the order of
//! epoch 12 and the noise of step 7,000 are what they are.

use candle_core::{Device, Result, Tensor};
use ganlet_random::Stream;

use crate::Recipe;

/// What a stream's numbers are for.
const ORDER: u32 = 0x4f52_4452;
const DISCRIMINATOR_NOISE: u32 = 0x4e5a_5f44;
const GENERATOR_NOISE: u32 = 0x4e5a_5f47;
const IMAGE_NOISE: u32 = 0x4e5a_5f49;
const MASKS: u32 = 0x4d41_534b;
const MIXTURES: u32 = 0x4d49_5854;

/// The order in which epoch `epoch` (from 0) visits the images `0..images`.
pub fn order(seed: u64, epoch: u64, images: u32) -> Vec<u32> {
    Stream::new(seed, ORDER, epoch).permutation(images)
}

/// What is drawn for a step with `k` updates of D on `B` real images each, and one of G.
#[derive(Clone, Debug)]
pub struct Noise {
    /// `((k + 1) B, latent)` f32, from the recipe's distribution: what the fakes of each update of D are made of, then those of G's.
    pub latents: Tensor,
    /// What else is drawn for each update of D. What is missing is not used.
    pub discriminator: Vec<PassNoise>,
    /// And for that of G.
    pub generator: PassNoise,
}

/// What is drawn for one pass through D: only what the recipe calls for.
#[derive(Clone, Debug, Default)]
pub struct PassNoise {
    /// To be added to the images: f32, one row per image, normal with the standard deviation that the recipe has at that time.
    pub images: Option<Tensor>,
    /// To be multiplied onto the input of each layer: f32, `(rows, in)`, 0 for what is dropped, otherwise what keeps the mean.
    pub masks: Vec<Option<Tensor>>,
    /// How much of the real image there is in each mixture with a fake: `(B, 1)` f32 in `[0, 1)`.
    pub mixtures: Option<Tensor>,
}

impl Noise {
    /// Latents alone.
    pub fn from_latents(latents: Tensor) -> Self {
        Self { latents, discriminator: Vec::new(), generator: PassNoise::default() }
    }

    /// The noise of step `step` (from 0), before which a share `progress` of the training is done, on images of `pixels` pixels.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(recipe: &Recipe, step: u64, progress: f64, pixels: usize, device: &Device) -> Result<Self> {
        let &Recipe { seed, batch_size, latent, latent_distribution, discriminator_steps, .. } = recipe;
        let count = batch_size * latent;
        let mut values = vec![0.; (discriminator_steps + 1) * count];
        let (for_d, for_g) = values.split_at_mut(discriminator_steps * count);
        latent_distribution.fill(&mut Stream::new(seed, DISCRIMINATOR_NOISE, step), for_d);
        latent_distribution.fill(&mut Stream::new(seed, GENERATOR_NOISE, step), for_g);
        let latents = Tensor::from_vec(values, ((discriminator_steps + 1) * batch_size, latent), device)?;

        let mut streams = Streams {
            images: Stream::new(seed, IMAGE_NOISE, step),
            masks: Stream::new(seed, MASKS, step),
            mixtures: Stream::new(seed, MIXTURES, step),
        };
        let discriminator = (0..discriminator_steps)
            .map(|_| streams.pass(recipe, progress, pixels, true, device))
            .collect::<Result<_>>()?;
        let generator = streams.pass(recipe, progress, pixels, false, device)?;
        Ok(Self { latents, discriminator, generator })
    }
}

/// What the passes of a step take from, one after the other.
struct Streams {
    images: Stream,
    masks: Stream,
    mixtures: Stream,
}

impl Streams {
    /// A pass of D's update, on real images, fakes and mixtures of them where there is a penalty on those, or of G's, on fakes.
    fn pass(
        &mut self,
        recipe: &Recipe,
        progress: f64,
        pixels: usize,
        of_d: bool,
        device: &Device,
    ) -> Result<PassNoise> {
        let batch = recipe.batch_size;
        let mixes = of_d && recipe.gradient_penalty > 0.;
        let lots = 1 + usize::from(of_d) + usize::from(mixes);
        let rows = lots * batch;
        let deviation = recipe.instance_noise * (1. - progress);

        let images = match recipe.instance_noise > 0. {
            false => None,
            true => {
                let mut noise = vec![0.; rows * pixels];
                self.images.fill_normal(&mut noise);
                Some((Tensor::from_vec(noise, (rows, pixels), device)? * deviation)?)
            }
        };
        let masks = match recipe.drops() {
            false => Vec::new(),
            true => {
                let inputs = std::iter::once((pixels + recipe.classes, recipe.input_dropout));
                let hidden = recipe.discriminator_hidden.iter().map(|&width| (width, recipe.dropout));
                inputs
                    .chain(hidden)
                    .map(|(width, rate)| self.mask(rows, width, rate, device))
                    .collect::<Result<_>>()?
            }
        };
        let mixtures = match mixes {
            false => None,
            true => {
                let shares: Vec<f32> = (0..batch).map(|_| self.mixtures.uniform()).collect();
                Some(Tensor::from_vec(shares, (batch, 1), device)?)
            }
        };
        Ok(PassNoise { images, masks, mixtures })
    }

    /// 0 with probability `rate`, else what makes up for it.
    fn mask(&mut self, rows: usize, width: usize, rate: f64, device: &Device) -> Result<Option<Tensor>> {
        if rate == 0. {
            return Ok(None);
        }
        let (rate, kept) = (rate as f32, (1. / (1. - rate)) as f32);
        let mask: Vec<f32> =
            (0..rows * width).map(|_| if self.masks.uniform() < rate { 0. } else { kept }).collect();
        Ok(Some(Tensor::from_vec(mask, (rows, width), device)?))
    }
}
