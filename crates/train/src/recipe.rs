use ganlet_models::{DiscriminatorConfig, GeneratorConfig, HiddenActivation, LatentDistribution};
use serde::{Deserialize, Serialize};

use crate::{Error, Loss, Result, Rule, Schedule};

/// The built-in recipes: name and text.
const RECIPES: [(&str, &str); 6] = [
    ("classic", include_str!("../recipes/classic.toml")),
    ("best", include_str!("../recipes/best.toml")),
    ("conditional", include_str!("../recipes/conditional.toml")),
    ("wgan-gp", include_str!("../recipes/wgan-gp.toml")),
    ("yunjey-2018", include_str!("../recipes/yunjey-2018.toml")),
    ("goodfellow-2014", include_str!("../recipes/goodfellow-2014.toml")),
];

/// Everything that decides what a training comes to: the same recipe on the same images gives the same bits.
///
/// There is no `Default`: a recipe comes from a name, whose file cites its source, or from a file of the user's. Such a file may leave
/// out what says "as in Adam's paper", "none" or "not": the fields whose docs name a value for that.
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
    /// Images per update of D.
    pub batch_size: usize,
    /// Steps from one report to the next.
    pub report_every: u64,

    /// Components of a latent vector.
    pub latent: usize,
    /// What they are drawn from: `normal` if left out.
    #[serde(default)]
    pub latent_distribution: LatentDistribution,
    /// Kinds of images, told to both networks as labels; 0 if left out, for none.
    #[serde(default)]
    pub classes: usize,
    /// Widths of the generator's hidden layers.
    pub generator_hidden: Vec<usize>,
    /// What is applied to each of them: `leaky-relu` if left out.
    #[serde(default)]
    pub generator_activation: HiddenActivation,
    /// Widths of the discriminator's hidden layers.
    pub discriminator_hidden: Vec<usize>,
    /// What is applied to each of them: `leaky-relu` if left out.
    #[serde(default)]
    pub discriminator_activation: HiddenActivation,
    /// The initial weights of G are uniform in ± this, a positive number, and its biases 0; if left out, both are drawn as PyTorch's
    /// `nn.Linear` does, in ± 1 over the root of a layer's inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator_range: Option<f64>,
    /// The same for D.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discriminator_range: Option<f64>,
    /// Whether both begin and learn as if pixels were in `[0, 1]`, G ended in a sigmoid, and what D drops of an image were black;
    /// `false` if left out, for `[-1, 1]`, tanh and grey. Instance noise and penalties refer to `[-1, 1]` either way.
    #[serde(default)]
    pub unit_pixels: bool,
    /// Whether the mean of the training images is taken from every image before D sees it: `false` if left out.
    #[serde(default)]
    pub center: bool,
    /// Whether each weight of D is divided by its largest singular value: `false` if left out.
    #[serde(default)]
    pub spectral_norm: bool,

    /// What the networks lower: `non-saturating` if left out.
    #[serde(default)]
    pub loss: Loss,
    /// How far D's target for real images is below 1, in `[0, 1)`; 0 if left out.
    #[serde(default)]
    pub label_smoothing: f64,
    /// The weight of the R1 penalty, Mescheder et al.'s gamma; 0 if left out, for none.
    #[serde(default)]
    pub r1: f64,
    /// Steps from one R1 penalty to the next, which then counts as many times; 1 if left out. (Karras et al., *StyleGAN2*, CVPR 2020,
    /// appendix B.)
    #[serde(default = "one")]
    pub r1_every: u64,
    /// The weight of the penalty on slopes other than 1, Gulrajani et al.'s lambda; 0 if left out, for none.
    #[serde(default)]
    pub gradient_penalty: f64,
    /// The standard deviation of the noise on all that D sees, at the beginning; it falls to 0 in a line over the training. 0 if left
    /// out. (Sønderby et al., *Amortised MAP inference for image super-resolution*, ICLR 2017, section 3.2.)
    #[serde(default)]
    pub instance_noise: f64,
    /// The share of D's inputs that is dropped, in `[0, 1)`; 0 if left out. (Srivastava et al., JMLR 2014.)
    #[serde(default)]
    pub input_dropout: f64,
    /// The share of each of D's hidden layers that is dropped, in `[0, 1)`; 0 if left out.
    #[serde(default)]
    pub dropout: f64,

    /// What moves the weights: `adam` if left out.
    #[serde(default)]
    pub optimizer: Rule,
    /// The optimizer's step size, for both networks.
    pub learning_rate: f64,
    /// That for D, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discriminator_learning_rate: Option<f64>,
    /// How both change over the training: `constant` if left out.
    #[serde(default)]
    pub schedule: Schedule,
    /// The share of the training after which they begin to change, in `[0, 1)`; 0 if left out.
    #[serde(default)]
    pub schedule_from: f64,
    /// What the schedule comes to, as a share of the beginning, in `[0, 1]`; 0 if left out.
    #[serde(default)]
    pub learning_rate_end: f64,
    /// The decay of Adam's first moment, in `[0, 1)`; 0.9 if left out.
    #[serde(default = "beta1")]
    pub beta1: f64,
    /// The decay of Adam's second moment, in `[0, 1)`; 0.999 if left out.
    #[serde(default = "beta2")]
    pub beta2: f64,
    /// What Adam adds to the root of the second moment; 1e-8 if left out.
    #[serde(default = "epsilon")]
    pub epsilon: f64,
    /// The decay of SGD's velocity, in `[0, 1)`; 0 if left out.
    #[serde(default)]
    pub momentum: f64,
    /// Updates of D in a step, each on images of its own, before the one of G; 1 if left out.
    #[serde(default = "one_update")]
    pub discriminator_steps: usize,
    /// The decay of the running average of G's weights, per step, in `[0, 1)`; 0 if left out, for none.
    #[serde(default)]
    pub ema_decay: f64,
}

fn one() -> u64 {
    1
}

fn one_update() -> usize {
    1
}

// Kingma and Ba (ICLR 2015), algorithm 1.
fn beta1() -> f64 {
    0.9
}

fn beta2() -> f64 {
    0.999
}

fn epsilon() -> f64 {
    1e-8
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

    /// Reads a recipe; every field must be there but those with a value for being left out, and no other.
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

    /// The generator for images of `[rows, columns]` pixels.
    pub fn generator(&self, image: [usize; 2]) -> GeneratorConfig {
        GeneratorConfig {
            latent: self.latent,
            latent_distribution: self.latent_distribution,
            classes: self.classes,
            hidden: self.generator_hidden.clone(),
            activation: self.generator_activation,
            image,
        }
    }

    /// The discriminator for images of `[rows, columns]` pixels.
    pub fn discriminator(&self, image: [usize; 2]) -> DiscriminatorConfig {
        DiscriminatorConfig {
            hidden: self.discriminator_hidden.clone(),
            activation: self.discriminator_activation,
            classes: self.classes,
            image,
        }
    }

    /// The learning rates of G and of D where a share `progress` of the training is done, from 0 to 1.
    pub fn learning_rates(&self, progress: f64) -> [f64; 2] {
        let progress = ((progress - self.schedule_from) / (1. - self.schedule_from)).max(0.);
        let factor = self.schedule.factor(progress, self.learning_rate_end);
        let of_d = self.discriminator_learning_rate.unwrap_or(self.learning_rate);
        [self.learning_rate * factor, of_d * factor]
    }

    /// Training images in a step.
    pub fn images_per_step(&self) -> usize {
        self.batch_size.saturating_mul(self.discriminator_steps)
    }

    /// Whether a step depends on how many there are: then a training that is finished cannot be trained on as if it had been
    /// longer from the beginning.
    pub fn depends_on_length(&self) -> bool {
        self.schedule != Schedule::Constant || self.instance_noise > 0.
    }

    /// Whether anything is dropped.
    pub(crate) fn drops(&self) -> bool {
        self.input_dropout > 0. || self.dropout > 0.
    }

    /// Checks every field against its range, and that they make sense together.
    ///
    /// # Errors
    /// With the first field that is out of it, or the first fields that do not.
    pub fn validate(&self) -> Result<()> {
        self.validate_fields()?;
        self.validate_combinations()
    }

    fn validate_fields(&self) -> Result<()> {
        let ensure = |holds: bool, field, expected, found: &dyn std::fmt::Debug| match holds {
            true => Ok(()),
            false => Err(Error::Field { field, expected, found: format!("{found:?}") }),
        };
        for (field, value) in
            [("seed", self.seed), ("epochs", self.epochs), ("report_every", self.report_every)]
        {
            // The largest integer of TOML.
            ensure(i64::try_from(value).is_ok(), field, "at most 9223372036854775807", &value)?;
        }
        for (field, value) in [
            ("epochs", self.epochs),
            ("batch_size", self.batch_size as u64),
            ("report_every", self.report_every),
            ("latent", self.latent as u64),
            ("r1_every", self.r1_every),
            ("discriminator_steps", self.discriminator_steps as u64),
        ] {
            ensure(value >= 1, field, "at least 1", &value)?;
        }
        for (field, widths) in [
            ("generator_hidden", &self.generator_hidden),
            ("discriminator_hidden", &self.discriminator_hidden),
        ] {
            ensure(!widths.contains(&0), field, "widths of at least 1", widths)?;
        }
        for (field, value) in [
            ("generator_range", self.generator_range),
            ("discriminator_range", self.discriminator_range),
            ("learning_rate", Some(self.learning_rate)),
            ("discriminator_learning_rate", self.discriminator_learning_rate),
            ("epsilon", Some(self.epsilon)),
        ] {
            // What is left out is not out of range.
            let value = value.unwrap_or(1.);
            ensure(value > 0. && value.is_finite(), field, "a positive number", &value)?;
        }
        for (field, value) in [
            ("r1", self.r1),
            ("gradient_penalty", self.gradient_penalty),
            ("instance_noise", self.instance_noise),
        ] {
            ensure(value >= 0. && value.is_finite(), field, "a number of at least 0", &value)?;
        }
        for (field, value) in [
            ("label_smoothing", self.label_smoothing),
            ("input_dropout", self.input_dropout),
            ("dropout", self.dropout),
            ("beta1", self.beta1),
            ("beta2", self.beta2),
            ("momentum", self.momentum),
            ("ema_decay", self.ema_decay),
            ("schedule_from", self.schedule_from),
        ] {
            ensure((0. ..1.).contains(&value), field, "a number in [0, 1)", &value)?;
        }
        let end = self.learning_rate_end;
        ensure((0. ..=1.).contains(&end), "learning_rate_end", "a number in [0, 1]", &end)?;
        ensure(self.classes != 1, "classes", "0, or at least 2", &self.classes)
    }

    fn validate_combinations(&self) -> Result<()> {
        let refuse = |holds: bool, fields, reason| match holds {
            true => Err(Error::Combination { fields, reason }),
            false => Ok(()),
        };
        refuse(
            self.r1 > 0. && self.gradient_penalty > 0.,
            "r1 and gradient_penalty",
            "one draws D's slope to 0, the other to 1: set one of them to 0",
        )?;
        refuse(
            self.loss == Loss::Wasserstein && self.gradient_penalty == 0. && !self.spectral_norm,
            "loss = \"wasserstein\"",
            "without a bound on its slope D's output grows without end: it needs gradient_penalty or spectral_norm",
        )?;
        refuse(
            self.label_smoothing > 0. && !self.loss.has_targets(),
            "label_smoothing and loss",
            "hinge and wasserstein give D no target for real images that could be smoothed",
        )?;
        refuse(
            self.r1 == 0. && self.r1_every > 1,
            "r1_every",
            "there is no R1 penalty to be taken now and then: set r1 as well",
        )?;
        refuse(
            self.momentum > 0. && self.optimizer == Rule::Adam,
            "momentum and optimizer = \"adam\"",
            "Adam's momentum is beta1; momentum is that of sgd",
        )?;
        refuse(
            self.unit_pixels && self.center,
            "unit_pixels and center",
            "one takes black from what D sees, the other the mean image: leave one of them out",
        )?;
        refuse(
            self.unit_pixels && self.spectral_norm,
            "unit_pixels and spectral_norm",
            "spectral normalisation undoes the scale of D's first weights that unit_pixels chooses",
        )?;
        refuse(
            self.unit_pixels && self.optimizer == Rule::Adam,
            "unit_pixels and optimizer = \"adam\"",
            "Adam's steps are as large for any scale of the gradients, by which unit_pixels works: it needs sgd",
        )?;
        refuse(
            self.schedule == Schedule::Constant && (self.learning_rate_end > 0. || self.schedule_from > 0.),
            "learning_rate_end or schedule_from and schedule = \"constant\"",
            "a constant rate does not come to another one: set schedule as well",
        )?;
        refuse(
            self.schedule == Schedule::Exponential && self.learning_rate_end == 0.,
            "learning_rate_end and schedule = \"exponential\"",
            "no factor but 0 leads to 0: set learning_rate_end to a positive number",
        )
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
            ("report_every = 300", "report_every = 300\ngenerator_range = 0.0", "generator_range"),
            ("report_every = 300", "report_every = 300\ndiscriminator_range = inf", "discriminator_range"),
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
    fn what_does_not_go_together_is_named() {
        for (settings, fields) in [
            ("r1 = 1\ngradient_penalty = 1", "r1 and gradient_penalty"),
            ("loss = \"wasserstein\"", "loss = \"wasserstein\""),
            ("loss = \"hinge\"\nlabel_smoothing = 0.1", "label_smoothing and loss"),
            ("r1_every = 4", "r1_every"),
            ("momentum = 0.5", "momentum and optimizer = \"adam\""),
            ("unit_pixels = true\ncenter = true", "unit_pixels and center"),
            ("unit_pixels = true\nspectral_norm = true", "unit_pixels and spectral_norm"),
            ("unit_pixels = true", "unit_pixels and optimizer = \"adam\""),
            ("schedule_from = 0.5", "learning_rate_end or schedule_from and schedule = \"constant\""),
            ("schedule = \"exponential\"", "learning_rate_end and schedule = \"exponential\""),
        ] {
            let text = format!("{}{settings}", include_str!("../recipes/classic.toml"));
            match Recipe::from_toml(&text) {
                Err(Error::Combination { fields: found, .. }) => assert_eq!(found, fields),
                other => panic!("{settings}: {other:?}"),
            }
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
