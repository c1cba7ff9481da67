use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use ganlet_ops::{AdamStep, adam_step};

use crate::{Error, Recipe, Result};

/// The running means of a parameter's gradient and of its square, in the parameter's shape.
#[derive(Clone, Debug)]
pub struct Moments {
    /// PyTorch's `exp_avg`.
    pub m: Tensor,
    /// PyTorch's `exp_avg_sq`.
    pub v: Tensor,
}

/// Adam as PyTorch has it, without weight decay: Kingma and Ba (ICLR 2015), algorithm 1.
///
/// Its state is open, and keyed by the parameters' names, so that a checkpoint can hold all of it.
#[derive(Clone, Debug)]
pub struct Adam {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    /// Steps done.
    pub steps: u64,
    /// The moments of each parameter that has had a gradient.
    pub moments: BTreeMap<String, Moments>,
}

impl Adam {
    /// With the recipe's rates, before its first step.
    pub fn new(recipe: &Recipe) -> Self {
        Self {
            learning_rate: recipe.learning_rate,
            beta1: recipe.beta1,
            beta2: recipe.beta2,
            epsilon: recipe.epsilon,
            steps: 0,
            moments: BTreeMap::new(),
        }
    }

    /// Moves each parameter one step along its gradient; both are in the same order.
    ///
    /// # Errors
    /// When there are more or fewer gradients than parameters, or one is not of its parameter's shape.
    pub fn step(&mut self, parameters: &[(String, Var)], gradients: &[Tensor]) -> Result<()> {
        if parameters.len() != gradients.len() {
            return Err(Error::Gradients { parameters: parameters.len(), gradients: gradients.len() });
        }
        self.steps += 1;
        let step = AdamStep {
            learning_rate: self.learning_rate,
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            step: self.steps,
        };
        for ((name, parameter), gradient) in parameters.iter().zip(gradients) {
            if !self.moments.contains_key(name) {
                let moments = Moments { m: parameter.zeros_like()?, v: parameter.zeros_like()? };
                self.moments.insert(name.clone(), moments);
            }
            let Moments { m, v } = &self.moments[name];
            adam_step(parameter, gradient, m, v, &step)?;
        }
        Ok(())
    }
}
