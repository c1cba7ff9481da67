use ganlet_ops::{Clock, Row};

use crate::Recipe;
#[cfg(feature = "cuda")]
use crate::{Gan, average::decay_at};

/// What decides how far a step moves the weights, beside the recipe.
#[derive(Clone, Debug)]
pub enum Pace {
    /// The share of the training that is done, from 0 to 1.
    Progress(f64),
    /// The clock of a GPU, in whose table it stands.
    Clocked(Clock),
}

impl From<f64> for Pace {
    fn from(progress: f64) -> Self {
        Self::Progress(progress)
    }
}

/// The learning rate of an [`Optimizer`](crate::Optimizer)'s step.
#[derive(Clone, Debug)]
pub enum Rate {
    /// This one.
    Known(f64),
    /// That which a GPU finds by its clock, with all else that changes from step to step.
    Clocked(Row),
}

impl From<f64> for Rate {
    fn from(rate: f64) -> Self {
        Self::Known(rate)
    }
}

// A row of the table has two numbers for each update of D, two for that of G, and one for the average.

/// How many numbers that is.
#[cfg(feature = "cuda")]
pub(crate) fn columns(recipe: &Recipe) -> usize {
    2 * recipe.discriminator_steps + 3
}

/// The row of the step that is number `step`, from 0, before which a share `progress` of the training is done.
#[cfg(feature = "cuda")]
pub(crate) fn row<G, D>(gan: &Gan<G, D>, recipe: &Recipe, step: u64, progress: f64) -> Vec<f32> {
    let [g_rate, d_rate] = recipe.learning_rates(progress);
    let ahead = step - gan.steps;
    let updates = recipe.discriminator_steps as u64;
    let (of_d, of_g) = (&gan.discriminator_optimizer, &gan.generator_optimizer);
    let mut row = Vec::with_capacity(columns(recipe));
    for update in 1..=updates {
        row.extend(of_d.numbers(d_rate, of_d.steps + ahead * updates + update));
    }
    row.extend(of_g.numbers(g_rate, of_g.steps + ahead + 1));
    row.push((1. - decay_at(recipe.ema_decay, step + 1)) as f32);
    row
}

impl Pace {
    /// For D's update number `update`, from 0.
    pub(crate) fn discriminator(&self, recipe: &Recipe, update: usize) -> Rate {
        match self {
            Self::Progress(progress) => Rate::Known(recipe.learning_rates(*progress)[1]),
            Self::Clocked(clock) => Rate::Clocked(clock.row(2 * update)),
        }
    }

    /// For G's update.
    pub(crate) fn generator(&self, recipe: &Recipe) -> Rate {
        match self {
            Self::Progress(progress) => Rate::Known(recipe.learning_rates(*progress)[0]),
            Self::Clocked(clock) => Rate::Clocked(clock.row(2 * recipe.discriminator_steps)),
        }
    }

    /// Where the average's number is, if not here.
    pub(crate) fn average(&self, recipe: &Recipe) -> Option<Row> {
        match self {
            Self::Progress(_) => None,
            Self::Clocked(clock) => Some(clock.row(2 * recipe.discriminator_steps + 2)),
        }
    }
}
