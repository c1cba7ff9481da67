use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The built-in recipes: name and text.
const RECIPES: [(&str, &str); 1] = [("classic", include_str!("../recipes/classic.toml"))];

/// Everything that decides what a training comes to: the same recipe on the same images gives the same bits.
///
/// There is no `Default`: a recipe comes from a name, whose file cites its source, or from a file of the user's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The recipe's name.
    pub recipe: String,
    /// The data set's name; resolved by the caller.
    pub dataset: String,
    /// What everything drawn depends on: weights, batch order, noise. At most `i64::MAX`, which TOML can hold.
    pub seed: u64,
    /// Passes over the training images.
    pub epochs: u64,
    /// Images per step.
    pub batch_size: usize,
    /// Components of a latent vector, standard normal.
    pub latent: usize,
    /// Widths of the generator's hidden layers.
    pub generator_hidden: Vec<usize>,
    /// Widths of the discriminator's hidden layers.
    pub discriminator_hidden: Vec<usize>,
    /// The step size of Adam, for both networks.
    pub learning_rate: f64,
    /// The decay of Adam's first moment, in `[0, 1)`.
    pub beta1: f64,
    /// The decay of Adam's second moment, in `[0, 1)`.
    pub beta2: f64,
    /// What Adam adds to the root of the second moment.
    pub epsilon: f64,
    /// Steps from one report to the next.
    pub report_every: u64,
}

impl Recipe {
    /// The names of the built-in recipes.
    pub fn names() -> Vec<&'static str> {
        RECIPES.iter().map(|(name, _)| *name).collect()
    }

    /// A built-in recipe.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn named(name: &str) -> Result<Self> {
        let (_, text) = RECIPES
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| Error::UnknownRecipe { found: name.to_owned(), known: Self::names() })?;
        Self::from_toml(text)
    }

    /// Reads a recipe; every field must be there, and no other.
    ///
    /// # Errors
    /// When the text is not such a recipe, or a field is out of its range.
    pub fn from_toml(text: &str) -> Result<Self> {
        let recipe: Self = toml::from_str(text).map_err(Error::ReadRecipe)?;
        recipe.validate()?;
        Ok(recipe)
    }

    /// The recipe as [`Recipe::from_toml`] reads it.
    ///
    /// # Errors
    /// When a number is beyond what TOML can hold.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(Error::WriteRecipe)
    }

    /// Checks every field against its range.
    ///
    /// # Errors
    /// With the first field that is out of it.
    pub fn validate(&self) -> Result<()> {
        let ensure = |holds: bool, field, expected, found: &dyn std::fmt::Debug| match holds {
            true => Ok(()),
            false => Err(Error::Field { field, expected, found: format!("{found:?}") }),
        };
        let decay = |beta: f64| (0. ..1.).contains(&beta);
        let positive = |x: f64| x > 0. && x.is_finite();
        for (field, value) in
            [("seed", self.seed), ("epochs", self.epochs), ("report_every", self.report_every)]
        {
            // The largest integer of TOML.
            ensure(i64::try_from(value).is_ok(), field, "at most 9223372036854775807", &value)?;
        }
        ensure(self.epochs >= 1, "epochs", "at least 1", &self.epochs)?;
        ensure(self.batch_size >= 1, "batch_size", "at least 1", &self.batch_size)?;
        ensure(self.latent >= 1, "latent", "at least 1", &self.latent)?;
        for (field, widths) in [
            ("generator_hidden", &self.generator_hidden),
            ("discriminator_hidden", &self.discriminator_hidden),
        ] {
            ensure(!widths.contains(&0), field, "widths of at least 1", widths)?;
        }
        ensure(positive(self.learning_rate), "learning_rate", "a positive number", &self.learning_rate)?;
        ensure(decay(self.beta1), "beta1", "a number in [0, 1)", &self.beta1)?;
        ensure(decay(self.beta2), "beta2", "a number in [0, 1)", &self.beta2)?;
        ensure(positive(self.epsilon), "epsilon", "a positive number", &self.epsilon)?;
        ensure(self.report_every >= 1, "report_every", "at least 1", &self.report_every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_recipe_is_read_and_survives_being_written() {
        for name in Recipe::names() {
            let recipe = Recipe::named(name).unwrap();
            assert_eq!(recipe.recipe, name);
            assert_eq!(Recipe::from_toml(&recipe.to_toml().unwrap()).unwrap(), recipe);
        }
        assert!(matches!(Recipe::named("clasic"), Err(Error::UnknownRecipe { .. })));
    }

    #[test]
    fn what_is_out_of_range_or_unknown_is_named() {
        let text = include_str!("../recipes/classic.toml");
        for (from, to, field) in [
            ("epochs = 200", "epochs = 0", "epochs"),
            ("batch_size = 100", "batch_size = 0", "batch_size"),
            ("latent = 64", "latent = 0", "latent"),
            ("generator_hidden = [256, 256]", "generator_hidden = [256, 0]", "generator_hidden"),
            ("learning_rate = 0.0003", "learning_rate = nan", "learning_rate"),
            ("beta2 = 0.999", "beta2 = 1.0", "beta2"),
            ("report_every = 300", "report_every = 0", "report_every"),
        ] {
            match Recipe::from_toml(&text.replace(from, to)) {
                Err(Error::Field { field: found, .. }) => assert_eq!(found, field),
                other => panic!("{to}: {other:?}"),
            }
        }
        for (from, to) in [("epochs =", "epoch ="), ("epochs = 200", ""), ("seed = 0", "seed = -1")] {
            assert!(matches!(Recipe::from_toml(&text.replace(from, to)), Err(Error::ReadRecipe(_))), "{to}");
        }
    }

    #[test]
    fn no_cut_and_no_flipped_bit_is_more_than_an_error_or_another_recipe() {
        let text = Recipe::named("classic").unwrap().to_toml().unwrap();
        for length in 0..text.len() - 1 {
            let _ = Recipe::from_toml(&text[..length]);
        }
        for bit in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Ok(text) = String::from_utf8(bytes) else { continue };
            if let Ok(recipe) = Recipe::from_toml(&text) {
                assert_eq!(Recipe::from_toml(&recipe.to_toml().unwrap()).unwrap(), recipe);
            }
        }
    }
}
