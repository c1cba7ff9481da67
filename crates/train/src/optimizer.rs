use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use ganlet_ops::{AdamStep, SgdStep, adam_step, sgd_step};
use serde::{Deserialize, Serialize};

use crate::{Error, Recipe, Result};

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
#[derive(Clone, Debug)]
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

    /// Moves each parameter one step along its gradient; both are in the same order.
    ///
    /// # Errors
    /// When there are more or fewer gradients than parameters, or one is not of its parameter's shape.
    pub fn step(
        &mut self,
        learning_rate: f64,
        parameters: &[(String, Var)],
        gradients: &[Tensor],
    ) -> Result<()> {
        if parameters.len() != gradients.len() {
            return Err(Error::Gradients { parameters: parameters.len(), gradients: gradients.len() });
        }
        self.steps += 1;
        let &mut Self { rule, beta1, beta2, epsilon, momentum, steps: step, .. } = self;
        for ((name, parameter), gradient) in parameters.iter().zip(gradients) {
            if !self.moments.contains_key(name) {
                let zeros = rule.moments().iter().map(|_| parameter.zeros_like());
                self.moments.insert(name.clone(), zeros.collect::<candle_core::Result<_>>()?);
            }
            match &self.moments[name][..] {
                [m, v] => {
                    let step = AdamStep { learning_rate, beta1, beta2, epsilon, step };
                    adam_step(parameter, gradient, m, v, &step)?;
                }
                [velocity] => {
                    sgd_step(parameter, gradient, velocity, &SgdStep { learning_rate, momentum })?;
                }
                other => return Err(Error::Moments { name: name.clone(), found: other.len() }),
            }
        }
        Ok(())
    }
}
