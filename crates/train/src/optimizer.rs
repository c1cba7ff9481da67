use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use ganlet_ops::{AdamStep, SgdStep, Update, adam_steps, sgd_steps};
use serde::{Deserialize, Serialize};

use crate::{Error, Rate, Recipe, Result};

/// How an [`Optimizer`] moves parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Adam, without weight decay: Kingma and Ba (ICLR 2015), algorithm 1, as PyTorch has it.
    #[default]
    Adam,
    /// Stochastic gradient descent with momentum: `v = momentum v + g`, `p -= rate v`, as PyTorch has it (Sutskever et al., ICML 2013).
    Sgd,
}

impl Rule {
    /// Its name in the files of checkpoints.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Adam => "adam",
            Self::Sgd => "sgd",
        }
    }

    /// What it remembers of each parameter: PyTorch's `exp_avg` and `exp_avg_sq`, or its `momentum_buffer`.
    pub(crate) fn moments(self) -> &'static [&'static str] {
        match self {
            Self::Adam => &["m", "v"],
            Self::Sgd => &["velocity"],
        }
    }
}

/// What moves the parameters of a network.
///
/// Its state is open, and keyed by the parameters' names, so that a checkpoint can hold all of it.
#[derive(Debug)]
pub struct Optimizer {
    rule: Rule,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    momentum: f64,
    /// Steps done.
    pub steps: u64,
    /// What it remembers of each parameter that has had a gradient, each in the parameter's shape: of Adam the running means of the
    /// gradient and of its square, `[m, v]`; of SGD `[velocity]`.
    pub moments: BTreeMap<String, Vec<Tensor>>,
}

impl Optimizer {
    /// The recipe's, before its first step.
    pub fn new(recipe: &Recipe) -> Self {
        let &Recipe { optimizer: rule, beta1, beta2, epsilon, momentum, .. } = recipe;
        Self { rule, beta1, beta2, epsilon, momentum, steps: 0, moments: BTreeMap::new() }
    }

    /// How it moves.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Moves each parameter one step along its gradient; both are in the same order. `rate` is the learning rate, or says where a GPU
    /// finds it.
    ///
    /// # Errors
    /// When there are more or fewer gradients than parameters, or one is not of its parameter's shape.
    pub fn step(
        &mut self,
        rate: impl Into<Rate>,
        parameters: &[(String, Var)],
        gradients: &[Tensor],
    ) -> Result<()> {
        if parameters.len() != gradients.len() {
            return Err(Error::Gradients { parameters: parameters.len(), gradients: gradients.len() });
        }
        for (name, parameter) in parameters {
            if !self.moments.contains_key(name) {
                let zeros = self.rule.moments().iter().map(|_| parameter.zeros_like());
                self.moments.insert(name.clone(), zeros.collect::<candle_core::Result<_>>()?);
            }
            let found = self.moments[name].len();
            if found != self.rule.moments().len() {
                return Err(Error::Moments { name: name.clone(), found });
            }
        }
        self.steps += 1;
        let updates: Vec<Update> = parameters
            .iter()
            .zip(gradients)
            .map(|((name, parameter), gradient)| Update { parameter, gradient, state: &self.moments[name] })
            .collect();
        let (learning_rate, row) = match rate.into() {
            Rate::Known(learning_rate) => (learning_rate, None),
            // Its own number is not looked at.
            Rate::Clocked(row) => (0., Some(row)),
        };
        match self.rule {
            Rule::Adam => adam_steps(&updates, &self.adam(learning_rate, self.steps), row.as_ref())?,
            Rule::Sgd => {
                let step = SgdStep { learning_rate, momentum: self.momentum };
                sgd_steps(&updates, &step, row.as_ref())?;
            }
        }
        Ok(())
    }

    /// What step `step`, from 1, does at this learning rate, as a GPU is told by a [`Clock`](ganlet_ops::Clock).
    #[cfg(feature = "cuda")]
    pub(crate) fn numbers(&self, learning_rate: f64, step: u64) -> [f32; 2] {
        match self.rule {
            Rule::Adam => self.adam(learning_rate, step).numbers(),
            Rule::Sgd => [learning_rate as f32, 0.],
        }
    }

    fn adam(&self, learning_rate: f64, step: u64) -> AdamStep {
        let &Self { beta1, beta2, epsilon, .. } = self;
        AdamStep { learning_rate, beta1, beta2, epsilon, step }
    }
}
