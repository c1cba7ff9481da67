use candle_core::Device;
use ganlet_models::{Discriminator, DiscriminatorConfig, Generator, GeneratorConfig};

use crate::{Adam, Recipe, Result};

/// All that a training changes: two networks, their optimizers, and the clock.
#[derive(Clone, Debug)]
pub struct Gan<G = Generator, D = Discriminator> {
    /// Latents to images.
    pub generator: G,
    /// Images to logits.
    pub discriminator: D,
    /// What moves the generator.
    pub generator_adam: Adam,
    /// What moves the discriminator.
    pub discriminator_adam: Adam,
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
        let generator =
            GeneratorConfig { latent: recipe.latent, hidden: recipe.generator_hidden.clone(), image };
        let discriminator = DiscriminatorConfig { hidden: recipe.discriminator_hidden.clone(), image };
        let generator = Generator::new(generator, recipe.seed, device)?;
        let discriminator = Discriminator::new(discriminator, recipe.seed, device)?;
        Ok(Self::from_networks(generator, discriminator, recipe))
    }
}

impl<G, D> Gan<G, D> {
    /// Any two networks, before their first step.
    pub fn from_networks(generator: G, discriminator: D, recipe: &Recipe) -> Self {
        let [generator_adam, discriminator_adam] = [Adam::new(recipe), Adam::new(recipe)];
        Self { generator, discriminator, generator_adam, discriminator_adam, steps: 0 }
    }
}
