use candle_core::Device;
use ganlet_models::{Discriminator, Generator, Network};

use crate::{Average, Optimizer, Recipe, Result};

/// All that a training changes: two networks, their optimizers, and the clock.
///
/// To keep one, take its [`checkpoint`](crate::checkpoint): a copy of the tensors would go on changing with the training, in place.
#[derive(Debug)]
pub struct Gan<G = Generator, D = Discriminator> {
    /// Latents to images.
    pub generator: G,
    /// Images to logits.
    pub discriminator: D,
    /// What moves the generator.
    pub generator_optimizer: Optimizer,
    /// What moves the discriminator.
    pub discriminator_optimizer: Optimizer,
    /// The average of the generator's weights, if the recipe keeps one.
    pub average: Option<Average>,
    /// Steps done: the clock of everything.
    pub steps: u64,
}

impl Gan {
    /// The recipe's networks for images of `[rows, columns]` pixels, with initial weights.
    ///
    /// # Errors
    /// When the recipe is out of its range, or the device has no room.
    pub fn new(recipe: &Recipe, image: [usize; 2], device: &Device) -> Result<Self> {
        recipe.validate()?;
        let (seed, ranges) = (recipe.seed, [recipe.generator_range, recipe.discriminator_range]);
        let mut generator = Generator::with_range(recipe.generator(image), ranges[0], seed, device)?;
        let mut discriminator =
            Discriminator::with_range(recipe.discriminator(image), ranges[1], seed, device)?;
        if recipe.spectral_norm {
            discriminator = discriminator.with_spectral_norm(seed)?;
        }
        if recipe.center {
            discriminator = discriminator.with_center()?;
        }
        if recipe.unit_pixels {
            generator = generator.with_unit_pixels()?;
            discriminator = discriminator.with_unit_pixels()?;
        }
        Self::from_networks(generator, discriminator, recipe)
    }

    /// The generator that is worth looking at: that of the averaged weights where the recipe keeps them. Its weights go on changing
    /// with the training.
    ///
    /// # Errors
    /// When the averages are not those of this generator.
    pub fn averaged(&self) -> Result<Generator> {
        match &self.average {
            None => Ok(self.generator.clone()),
            Some(average) => Ok(self.generator.with_parameters(&average.parameters)?),
        }
    }
}

impl<G: Network, D> Gan<G, D> {
    /// Any two networks, before their first step, with the recipe's optimizers and, where it keeps one, its average.
    ///
    /// The networks are taken as they are: `spectral_norm`, `unit_pixels` and the ranges of initial weights are for [`Gan::new`].
    ///
    /// # Errors
    /// When the device has no room for the average of the generator's weights.
    pub fn from_networks(generator: G, discriminator: D, recipe: &Recipe) -> Result<Self> {
        let average = match recipe.ema_decay > 0. {
            true => Some(Average::new(generator.parameters())?),
            false => None,
        };
        let [generator_optimizer, discriminator_optimizer] = [Optimizer::new(recipe), Optimizer::new(recipe)];
        Ok(Self { generator, discriminator, generator_optimizer, discriminator_optimizer, average, steps: 0 })
    }

    /// Counts a step that was replayed.
    #[cfg(feature = "cuda")]
    pub(crate) fn counted(&mut self, recipe: &Recipe) {
        self.steps += 1;
        self.generator_optimizer.steps += 1;
        self.discriminator_optimizer.steps += recipe.discriminator_steps as u64;
    }
}
