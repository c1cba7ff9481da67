//! Everything random in a training, as a function of the seed and the clock.
//!
//! Nothing is drawn from anything else, so a training that goes on after an interruption needs no generator's state: the order of
//! epoch 12 and the noise of step 7,000 are what they are.

use candle_core::{Device, Result, Tensor};
use ganlet_models::fill;
use ganlet_ops::{Clock, Draw, DrawFrom, for_each_mut};
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
        Self::draw(recipe, progress, pixels, Origin::Host { step, device })
    }

    /// The same numbers on a GPU, for the step of its clock: drawn there, and the host need not know which it is.
    ///
    /// # Errors
    /// When the GPU has no room.
    pub fn clocked(recipe: &Recipe, clock: &Clock, progress: f64, pixels: usize) -> Result<Self> {
        Self::draw(recipe, progress, pixels, Origin::Clock(clock))
    }

    fn draw(recipe: &Recipe, progress: f64, pixels: usize, origin: Origin) -> Result<Self> {
        let &Recipe { seed, batch_size, latent, latent_distribution, discriminator_steps, .. } = recipe;
        let from = [(DISCRIMINATOR_NOISE, discriminator_steps * batch_size), (GENERATOR_NOISE, batch_size)];
        let latents = origin.draw(seed, &from, latent, latent_distribution.draw())?;

        let [images, masks, mixtures] =
            [IMAGE_NOISE, MASKS, MIXTURES].map(|domain| Source::new(origin, seed, domain));
        let mut sources = Sources { images, masks, mixtures };
        let discriminator = (0..discriminator_steps)
            .map(|_| sources.pass(recipe, progress, pixels, true))
            .collect::<Result<_>>()?;
        let generator = sources.pass(recipe, progress, pixels, false)?;
        Ok(Self { latents, discriminator, generator })
    }
}

/// Elementary operations that a random number takes.
const COST: usize = 16;

/// Who draws: the host, for a device; or a GPU by itself.
#[derive(Clone, Copy)]
enum Origin<'a> {
    Host { step: u64, device: &'a Device },
    Clock(&'a Clock),
}

impl Origin<'_> {
    /// So many rows from the beginnings of streams of these domains, one below the other.
    fn draw(self, seed: u64, from: &[(u32, usize)], columns: usize, draw: Draw) -> Result<Tensor> {
        match self {
            Self::Host { step, device } => {
                let rows: usize = from.iter().map(|(_, rows)| rows).sum();
                let mut values = vec![0.; rows * columns];
                let mut rest = &mut values[..];
                let mut parts = Vec::with_capacity(from.len());
                for &(domain, rows) in from {
                    parts.push((domain, rest.split_off_mut(..rows * columns).unwrap_or_default()));
                }
                for_each_mut(&mut parts, rows * columns * COST, |(domain, values)| {
                    fill(&mut Stream::new(seed, *domain, step), draw, values);
                });
                Tensor::from_vec(values, (rows, columns), device)
            }
            Self::Clock(clock) => {
                let from: Vec<_> =
                    from.iter().map(|&(domain, rows)| (DrawFrom { domain, first: 0 }, rows)).collect();
                clock.draw(seed, &from, columns, draw)
            }
        }
    }
}

/// A stream of a step, from which is drawn several times.
enum Source<'a> {
    Host { stream: Stream, device: &'a Device },
    Clock { clock: &'a Clock, seed: u64, from: DrawFrom },
}

impl<'a> Source<'a> {
    fn new(origin: Origin<'a>, seed: u64, domain: u32) -> Self {
        match origin {
            Origin::Host { step, device } => Self::Host { stream: Stream::new(seed, domain, step), device },
            Origin::Clock(clock) => Self::Clock { clock, seed, from: DrawFrom { domain, first: 0 } },
        }
    }

    fn draw(&mut self, rows: usize, columns: usize, draw: Draw) -> Result<Tensor> {
        match self {
            Self::Host { stream, device } => {
                let mut values = vec![0.; rows * columns];
                fill(stream, draw, &mut values);
                Tensor::from_vec(values, (rows, columns), device)
            }
            Self::Clock { clock, seed, from } => {
                let drawn = clock.draw(*seed, &[(*from, rows)], columns, draw)?;
                *from = from.after(draw, rows * columns);
                Ok(drawn)
            }
        }
    }
}

/// What the passes of a step take from, one after the other.
struct Sources<'a> {
    images: Source<'a>,
    masks: Source<'a>,
    mixtures: Source<'a>,
}

impl Sources<'_> {
    /// A pass of D's update, on real images, fakes and mixtures of them where there is a penalty on those, or of G's, on fakes.
    fn pass(&mut self, recipe: &Recipe, progress: f64, pixels: usize, of_d: bool) -> Result<PassNoise> {
        let batch = recipe.batch_size;
        let mixes = of_d && recipe.gradient_penalty > 0.;
        let lots = 1 + usize::from(of_d) + usize::from(mixes);
        let rows = lots * batch;

        let images = match recipe.instance_noise > 0. {
            false => None,
            true => {
                let deviation = recipe.instance_noise * (1. - progress);
                Some(self.images.draw(rows, pixels, Draw::Normal { deviation })?)
            }
        };
        let masks = match recipe.drops() {
            false => Vec::new(),
            true => {
                let inputs = std::iter::once((pixels + recipe.classes, recipe.input_dropout));
                let hidden = recipe.discriminator_hidden.iter().map(|&width| (width, recipe.dropout));
                inputs
                    .chain(hidden)
                    .map(|(width, rate)| match rate > 0. {
                        false => Ok(None),
                        true => self.masks.draw(rows, width, Draw::Mask { rate }).map(Some),
                    })
                    .collect::<Result<_>>()?
            }
        };
        let mixtures = match mixes {
            false => None,
            true => Some(self.mixtures.draw(batch, 1, Draw::Uniform { low: 0., high: 1. })?),
        };
        Ok(PassNoise { images, masks, mixtures })
    }
}
